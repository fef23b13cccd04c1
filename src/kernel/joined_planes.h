// All planes of a digit in one array, a weight's bits side by side, for kernels that want them so.
#pragma once

#include <cstdint>

#include "kernel/kernel.h"

namespace pbatch {

/// Bytes of `n_planes` planes (1 to 8) in `layout`, which joins planes.
std::int64_t joined_bytes(PlaneLayout layout, std::int64_t row_blocks, std::int64_t col_blocks,
                          int n_planes);

/// Writes the planes of a digit, canonical, most significant first, in `layout`: joined_bytes().
void join_planes(PlaneLayout layout, const std::uint8_t* const planes[], int n_planes,
                 std::int64_t row_blocks, std::int64_t col_blocks, std::uint8_t* out);

}  // namespace pbatch
