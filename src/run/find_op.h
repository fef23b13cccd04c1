// The table of operators.
#pragma once

#include "graph/graph.h"
#include "op/op.h"
#include "pbatch/status.h"

namespace pbatch {

/// The factory for a node; an error that names operator, domain and opset if
/// there is none. `node.opset` below the first opset registered is an error too.
Result<OpFactory> find_op(const Node& node);

/// The error of the first node whose operator cannot be run, with its name.
Status check_operators(const Graph& graph);

}  // namespace pbatch
