// SequenceMap over sequences that are known: its body once for each element.
#pragma once

#include <vector>

#include "graph/graph.h"
#include "graph/rewrite.h"
#include "pbatch/status.h"

namespace pbatch {

/// Adds the nodes of the body of `node` to the graph, once for each element. `arguments` are the
/// body's inputs, [element][input] without captured ones; the result is what it makes, [output]
/// [element]. Nodes are named "<node>/body/<element>/<name>". malformed if the body does not fit,
/// unsupported if there would be more than 2^18 nodes.
Result<std::vector<std::vector<ValueId>>> unroll_sequence_map(
    Graph& graph, NewConstants& constants, const Node& node,
    const std::vector<std::vector<ValueId>>& arguments);

}  // namespace pbatch
