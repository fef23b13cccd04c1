// What expansions of quantized operators share.
#pragma once

#include "graph/expand/expansion.h"

namespace pbatch {

/// Inputs i, i + 1 and i + 2 as codes, scale and zero point: the floats that they stand for.
ValueId dequantized_input(Expansion& e, std::size_t i, std::int64_t axis = 1);

/// Output 0 becomes the codes of `x`; inputs i and i + 1 are scale and zero point.
void quantized_result(Expansion& e, ValueId x, std::size_t i);

}  // namespace pbatch
