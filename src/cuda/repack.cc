#include "cuda/repack.h"

#include <algorithm>
#include <cstring>

#include "cuda/layout.h"
#include "layout/layout.h"

namespace pbatch::cuda {

void repack_plane(const std::uint8_t* plane, std::int64_t row_blocks, std::int64_t col_blocks,
                  std::uint32_t* out) {
  const std::int64_t slabs = slabs_of(col_blocks);
  for (std::int64_t rb = 0; rb < row_blocks; ++rb) {
    for (std::int64_t slab = 0; slab < slabs; ++slab) {
      const std::uint8_t* blocks = plane + (rb * col_blocks + slab * kSlabBlocks) * kBlockBytes;
      const auto count =
          static_cast<int>(std::min<std::int64_t>(kSlabBlocks, col_blocks - slab * kSlabBlocks));
      for (int i = 0; i < kSlabWords; ++i) *out++ = weight_word(blocks, count, i / 4, i % 4);
    }
  }
}

void repack_scales(const std::uint8_t* scales, std::int64_t row_blocks, std::int64_t col_blocks,
                   int run_blocks, std::uint8_t* out) {
  const std::int64_t slabs = slabs_of(col_blocks);
  const std::int64_t runs = (col_blocks + run_blocks - 1) / run_blocks;
  std::memset(out, 0, static_cast<std::size_t>(scale_bytes(row_blocks, slabs, run_blocks)));
  for (std::int64_t rb = 0; rb < row_blocks; ++rb) {
    for (std::int64_t run = 0; run < runs; ++run) {
      for (int row = 0; row < kBlockRows; ++row) {
        out[scale_at(rb, row, run, slabs, run_blocks)] = *scales++;
      }
    }
  }
}

}  // namespace pbatch::cuda
