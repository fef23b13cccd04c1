// The caller's tensors against the network's declared inputs.
#pragma once

#include <span>
#include <vector>

#include "graph/graph.h"
#include "pbatch/network.h"
#include "pbatch/status.h"

namespace pbatch {

/// The tensors in the order of graph.inputs, with fallbacks where none is given. Refuses
/// unknown, missing and doubled names, wrong types, and shapes that contradict the declared ones (a
/// dimension named alike in two inputs must be equal in both).
Result<std::vector<Tensor>> check_inputs(const Graph& graph, std::span<const NamedTensor> inputs);

/// The same for inputs of which only the shapes are known: tensors without elements. A free
/// dimension that no shape binds is 1; `assumed`: whether there was one.
Result<std::vector<Tensor>> check_shapes(const Graph& graph, std::span<const InputShape> shapes,
                                         bool* assumed);

/// Name, type and declared shape of a graph input or output.
PortInfo describe_port(const Graph& graph, ValueId id);

}  // namespace pbatch
