// The planes that runs read at least of matrices where planes cost next to nothing.
#pragma once

#include "graph/graph.h"

namespace pbatch {

/// Gives `bits` (or all planes, if fewer are stored) as the floor to tables, to matrices of at most
/// 32 columns, and to output layers: products behind which there is no other one, of at most a
/// tenth of all weights of products. Subgraphs take part. 1: gives none.
void set_floors(Graph& graph, int bits);

}  // namespace pbatch
