// The precision of the run that the calling thread is in.
#pragma once

#include "pbatch/precision.h"

namespace pbatch::ort {

class Provider;

/// ONNX Runtime tells a provider of a run in the thread that runs it, and with execution_mode
/// ORT_SEQUENTIAL runs all nodes of the run in that thread, those of subgraphs too. So the
/// precision is kept per thread, and any number of threads may run one session, each with its own.
void begin_run(const Provider* provider, Precision precision);
void end_run(const Provider* provider);

/// Null if the calling thread is in no run of that provider: then ONNX Runtime runs the node in
/// another thread than its run.
const Precision* current_precision(const Provider* provider);

}  // namespace pbatch::ort
