// What ScatterElements and ScatterND do with an element and its update.
#pragma once

#include <cstddef>
#include <cstdint>

#include "graph/graph.h"
#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

enum class Reduction { none, add, mul, min, max };

/// Attribute "reduction".
Result<Reduction> read_reduction(const Node& node);

/// to[i] becomes reduction(to[i], from[i]) for `count` elements side by side.
using UpdateLoop = void (*)(void* to, const void* from, std::int64_t count);

/// An error if the reduction is not defined for the type: Reduction::none is for all.
Result<UpdateLoop> update_loop(Reduction reduction, DType type);

}  // namespace pbatch
