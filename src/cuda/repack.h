// From the stored order of planes and the kernels' order of scales to those of device memory.
#pragma once

#include <cstdint>

namespace pbatch::cuda {

/// Rewrites one plane. `plane`: [row_blocks][col_blocks][64] bytes, canonical (layout/layout.h);
/// `out`: plane_words(row_blocks, slabs_of(col_blocks)) words, all written. Safe from many threads.
void repack_plane(const std::uint8_t* plane, std::int64_t row_blocks, std::int64_t col_blocks,
                  std::uint32_t* out);

/// Rewrites the scales of one width. `scales`: [row_blocks][runs][16] (kernel.h); `out`:
/// scale_bytes(row_blocks, slabs_of(col_blocks), run_blocks) bytes, all written.
void repack_scales(const std::uint8_t* scales, std::int64_t row_blocks, std::int64_t col_blocks,
                   int run_blocks, std::uint8_t* out);

}  // namespace pbatch::cuda
