// Products with a constant on their left.
#pragma once

#include <functional>

#include "graph/graph.h"
#include "pbatch/status.h"

namespace pbatch {

/// Y = W X, a MatMul of a constant matrix W with an X whose rank is known, becomes pbatch.Linear
/// between two Transposes: Y^T = X^T W^T. The Linear keeps the node's name. Only nodes for which
/// `wanted` says so: the turns cost more than they gain where W stays float. Subgraphs take part.
Status turn_left_constants(Graph& graph,
                           const std::function<bool(const Node&, const Tensor& w)>& wanted);

}  // namespace pbatch
