// Which nodes of a graph run here, and which of them together.
#pragma once

#include <vector>

#include "onnxruntime.h"
#include "pbatch/status.h"
#include "settings.h"

namespace pbatch::ort {

/// A part of the graph that becomes one node. No path leaves it and comes back.
using NodeGroup = std::vector<Ort::ConstNode>;

/// Of a float graph: Gemm, MatMul, Gather of rows, RNN, LSTM, GRU and Conv with constant weights of
/// at least settings.quantize.min_elements, Conv only where bits are faster at the session's
/// precision. Of a graph that has operators of the domain pbatch: these. In both, Relu and Add of a
/// constant that follow them, and with settings.connect the operators between them that the library
/// computes as well (is_connector). Nodes that feed each other, or read the same value, form a
/// group.
Result<std::vector<NodeGroup>> choose_groups(const Ort::ConstGraph& graph,
                                             const Settings& settings);

}  // namespace pbatch::ort
