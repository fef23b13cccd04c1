// Ranks that hold in every run.
#pragma once

#include <optional>
#include <vector>

#include "graph/graph.h"

namespace pbatch {

/// Ranks derived from what a run is checked against: declared shapes of the network's inputs,
/// constants, and what operators make of them. Declared shapes of other values are hints that no
/// run is checked against, and not used.
class KnownRanks {
 public:
  /// Of the outermost graph.
  static KnownRanks of_network(const Graph& graph);
  /// Of a subgraph of `node`, a node of the graph that this one is of: of its inputs, the ranks
  /// of captured ones are known.
  KnownRanks of_subgraph(const Node& node, const Graph& subgraph) const;

  /// None if it is not known. Values that were added later are not.
  std::optional<std::size_t> of(ValueId id) const;

 private:
  void derive(const Graph& graph);
  void set(ValueId id, std::optional<std::size_t> rank);
  std::optional<std::size_t> of_output(const Graph& graph, const Node& node, std::size_t i) const;
  std::optional<std::size_t> of_input(const Node& node, std::size_t i) const;
  std::optional<std::size_t> widest_input(const Node& node) const;

  std::vector<std::optional<std::size_t>> ranks_;  // index = ValueId
};

}  // namespace pbatch
