// Matrix products with a constant become pbatch.Linear.
#pragma once

#include "graph/graph.h"
#include "graph/known_ranks.h"
#include "pbatch/status.h"

namespace pbatch {

/// The part of fuse_linear() before activations; batch normalizations fold
/// into its results. Applying it again changes nothing. `ranks`: of the graph as it is before.
/// Subgraphs are left to the caller.
Status make_linear(Graph& graph, const KnownRanks& ranks);

}  // namespace pbatch
