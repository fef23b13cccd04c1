// Dimensions that are known before anything runs.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "graph/graph.h"

namespace pbatch {

/// Follows Shape of the network's inputs, whose declared dimensions every run is checked
/// against. Declared shapes of other values are hints, and not used.
class KnownDims {
 public:
  /// Of the outermost graph.
  static KnownDims of_inputs(const Graph& graph);
  /// Of the subgraphs of a node in the graph that this one is of. tell_subgraphs() was called.
  KnownDims of_subgraph(const Node& node, const Graph& subgraph) const;

  /// The output of `node` if it consists of known dimensions: a Shape of such an input, or a
  /// Gather of them. Called for every node in its order.
  std::optional<Tensor> value_of(const Graph& graph, const Node& node);

 private:
  using Dims = std::vector<Dim>;
  std::map<ValueId, Dims> inputs_;  // shapes of values
  std::map<ValueId, Dims> shapes_;  // values that are shapes
};

}  // namespace pbatch
