// Which format the readers of a value would like it to have.
#pragma once

#include <vector>

#include "graph/graph.h"
#include "pbatch/precision.h"

namespace pbatch {

/// states: both of recurrent layers.
enum class Wish { none, bits8, bits16, wide, output, state, cell, states, gate };

/// For every value of the graph. What only moves elements passes its readers' wish on.
std::vector<Wish> wishes_of(const Graph& graph, const Precision& precision);

/// Operators that give elements of their first input, or zeros, as they are.
bool only_moves(const Node& node);

}  // namespace pbatch
