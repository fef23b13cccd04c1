// The model file: an ONNX graph and its safetensors data (docs/model-file.md).
#pragma once

#include <string>

#include "graph/graph.h"
#include "pbatch/status.h"

namespace pbatch {

/// Reads a float ONNX network or a pbatch model, told apart by content. Nodes
/// of a pbatch model have their matrix, with the planes that the data file holds.
Result<Graph> load_model(const std::string& path);

/// Path of the float network that a model was made from, if the model records
/// one and a file of the recorded checksum is there; else empty.
std::string float_source_of(const Graph& graph);

}  // namespace pbatch
