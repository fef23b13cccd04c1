// A look-up in front of linear layers becomes a look-up of their results.
#pragma once

#include "graph/graph.h"
#include "pbatch/quantize.h"
#include "pbatch/status.h"

namespace pbatch {

/// Where the rows of a constant table go into pbatch.Linear layers and nowhere else, each of these
/// becomes a Gather, under the layer's name, in the table of what it makes of every row: a step
/// then reads one row where it multiplied a matrix. Only where the new tables have no more numbers
/// than the old one and the matrices together, where no name is excluded, and where layers have no
/// activation of their own. Sums are in double, in a fixed order. Subgraphs take part.
/// Precondition: simplify() has run.
Status fold_lookups(Graph& graph, const QuantizeOptions& options);

}  // namespace pbatch
