// Functions that a model defines for itself, written out where they are called.
#pragma once

#include "onnx/onnx.pb.h"
#include "pbatch/status.h"

namespace pbatch {

/// Puts the bodies of the model's functions in the place of the nodes that call them, in subgraphs
/// too, so that nothing else need know of functions. Nodes and values of a body get the name of the
/// call and '/' in front. Where a body is written for another opset than the model, all get the
/// higher one (one_opset.h). malformed if a function calls itself or a call does not fit;
/// unsupported if an operator means something else in that opset, or for another version of another
/// domain.
Status inline_functions(onnx::ModelProto& model);

}  // namespace pbatch
