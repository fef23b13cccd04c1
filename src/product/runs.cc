#include "product/runs.h"

#include <cstring>

#include "base/aligned_buffer.h"
#include "layout/layout.h"

namespace pbatch {

int run_blocks_of(const BitMatrix& matrix) {
  constexpr int kBlock = kBlockCols, kLongest = kMaxRunCols / kBlock;
  if (matrix.group == 0 || matrix.group >= matrix.cols) return kLongest;
  const int group_blocks = matrix.group / kBlock;
  for (int blocks = kLongest; blocks > 1; blocks /= 2) {
    if (group_blocks % blocks == 0) return blocks;
  }
  return 1;
}

std::int64_t runs_of(const BitMatrix& m) {
  const int run_blocks = run_blocks_of(m);
  return (col_blocks(m.cols) + run_blocks - 1) / run_blocks;
}

std::size_t run_scales_bytes(const BitMatrix& m) {
  return static_cast<std::size_t>(row_blocks(m.rows) * runs_of(m) * kBlockRows);
}

std::shared_ptr<const std::uint8_t> run_scales(const BitMatrix& m, int width) {
  const std::int64_t runs = runs_of(m);
  const std::int64_t run_cols = static_cast<std::int64_t>(run_blocks_of(m)) * kBlockCols;
  const std::size_t bytes = run_scales_bytes(m);
  auto scales = std::static_pointer_cast<std::uint8_t>(allocate_aligned(bytes));
  if (scales == nullptr) return nullptr;
  std::memset(scales.get(), 0, bytes);
  for (std::int64_t row = 0; row < m.rows; ++row) {
    std::uint8_t* out = scales.get() + row / kBlockRows * runs * kBlockRows + row % kBlockRows;
    for (std::int64_t run = 0; run < runs; ++run) {
      const std::int64_t group = m.group == 0 ? 0 : run * run_cols / m.group;
      out[run * kBlockRows] = m.group_scale(width, row, group);
    }
  }
  return scales;
}

}  // namespace pbatch
