// The runs of columns in which kernels add up integers, and their scales.
#pragma once

#include <cstdint>
#include <memory>

#include "layout/bit_matrix.h"

namespace pbatch {

/// Column blocks per run: the longest run allowed that no group border cuts.
int run_blocks_of(const BitMatrix& matrix);
std::int64_t runs_of(const BitMatrix& matrix);

/// Group scales of a width, one byte per row and run: [row_blocks][runs][16]. Padding rows get 0.
/// Null when memory is short.
std::shared_ptr<const std::uint8_t> run_scales(const BitMatrix& matrix, int width);
/// Its bytes.
std::size_t run_scales_bytes(const BitMatrix& matrix);

}  // namespace pbatch
