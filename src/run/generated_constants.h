// Constants that are cheaper to make than to keep.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "graph/graph.h"

namespace pbatch {

/// Keeps count, while a graph is folded, of folded values that are much larger than the constants
/// they were made of. Such a value is good for folding what depends on it, and gone if nothing
/// else needs it; but a node that stays reads it from the nodes that make it, so that neither
/// memory nor a file holds it.
class GeneratedConstants {
 public:
  /// `node` has been folded: its outputs are constants of `graph`.
  void note(const Graph& graph, Node node);

  /// tell_subgraphs(), but for generated values: these stay captured.
  void tell_subgraphs(Graph& graph, Node& node) const;

  /// The nodes that must stay in front of `kept`, in their order. Their outputs are constants no
  /// more. Weights of convolutions and recurrent layers stay constants in any case.
  std::vector<Node> nodes_to_keep(Graph& graph, const std::vector<Node>& kept);

 private:
  std::int64_t origin_of(const Graph& graph, ValueId id) const;

  std::map<ValueId, std::int64_t> origins_;  // bytes of constants that a folded value is made of
  std::vector<Node> nodes_;                  // folded ones of generated values
};

}  // namespace pbatch
