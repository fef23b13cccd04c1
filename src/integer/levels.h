// The 8-bit code of activations that span decades (docs/integer.md).
#pragma once

#include <cstdint>
#include <vector>

namespace pbatch {

/// Values of the codes 0 ... last, from 0 to `top`: top (2^(octaves i / last) - 1) / (2^octaves -
/// 1). So steps are even below top / 2^octaves and beyond it grow with the value.
std::vector<std::int32_t> levels_of(double octaves, int last, std::int32_t top);

}  // namespace pbatch
