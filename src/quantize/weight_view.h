// A float matrix in memory, by rows or by columns.
#pragma once

#include <cstdint>

namespace pbatch {

/// Element (r, c) is data[r * row_stride + c * col_stride].
struct WeightView {
  const float* data = nullptr;
  std::int64_t rows = 0, cols = 0;
  std::int64_t row_stride = 0, col_stride = 1;

  /// Copies rows begin .. end - 1 to out[end - begin][cols]. Takes the rows of
  /// a column-major matrix side by side, so that each cache line is read once.
  void copy_rows(std::int64_t begin, std::int64_t end, float* out) const {
    if (col_stride == 1) {
      for (std::int64_t r = begin; r < end; ++r) {
        const float* from = data + r * row_stride;
        for (std::int64_t c = 0; c < cols; ++c) out[(r - begin) * cols + c] = from[c];
      }
      return;
    }
    for (std::int64_t c = 0; c < cols; ++c) {
      const float* from = data + c * col_stride;
      for (std::int64_t r = begin; r < end; ++r) out[(r - begin) * cols + c] = from[r * row_stride];
    }
  }
};

}  // namespace pbatch
