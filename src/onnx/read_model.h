// onnx.ModelProto -> Graph.
#pragma once

#include <string>

#include "graph/graph.h"
#include "onnx/import.h"
#include "onnx/onnx.pb.h"

namespace pbatch {

/// Checks the model and builds its graph. Takes the data out of `model`.
Result<Graph> read_model(onnx::ModelProto& model, const std::string& path, ExternalData* external);

}  // namespace pbatch
