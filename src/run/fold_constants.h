// Constant folding: runs every node whose inputs are all constants.
#pragma once

#include "graph/graph.h"
#include "pbatch/status.h"

namespace pbatch {

/// Replaces the outputs of nodes that depend on constants alone by their values
/// (Cast of a half-precision weight, shape arithmetic, a transposed weight).
/// Dimensions that the network's inputs declare are constants too. Nodes that make much out of
/// little (a mask from its side, a tiled vector) stay where a result of them is still needed.
/// Nodes whose operator is unknown are left for the caller to refuse. An If
/// whose condition is constant is replaced by the nodes of the branch it takes.
/// A node that fails is an error, in a subgraph only when it runs.
Status fold_constants(Graph& graph);

}  // namespace pbatch
