// How much memory a node's result takes, told before it runs.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "graph/graph.h"
#include "pbatch/tensor.h"

namespace pbatch {

/// Bytes of the first output of a node that can make much out of little: ConstantOfShape, Expand,
/// Tile, OneHot, Range, and all that broadcasts. A number beyond int64 counts as its greatest.
/// None for other operators and for inputs that the node itself will refuse.
std::optional<std::int64_t> result_bytes(const Node& node, std::span<const Tensor* const> inputs);

}  // namespace pbatch
