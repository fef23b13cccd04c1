// A group of nodes as a network of ours.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"
#include "onnxruntime.h"
#include "pbatch/status.h"

namespace pbatch::ort {

/// The graph of the compiled nodes; `fused` is the node that stands for it and gives inputs and
/// outputs their order. Constants are views of ONNX Runtime's memory, valid as long as its graph.
/// Operators of the domain pbatch get their matrix.
Result<Graph> build_graph(const Ort::ConstGraph& graph, const Ort::ConstNode& fused);

}  // namespace pbatch::ort
