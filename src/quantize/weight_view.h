// A float matrix in memory, by rows or by columns.
#pragma once

#include <cstdint>

#include "pbatch/tensor.h"

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

/// float32 weights [rows][...], or `turned` [cols][rows].
inline WeightView weight_view(const Tensor& weights, bool turned) {
  const float* const data = weights.data<float>();
  if (turned) return {data, weights.dim(1), weights.dim(0), 1, weights.dim(1)};
  const std::int64_t rows = weights.dim(0), cols = rows == 0 ? 0 : weights.size() / rows;
  return {data, rows, cols, cols, 1};
}

}  // namespace pbatch
