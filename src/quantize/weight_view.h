// A float matrix in memory, by rows or by columns.
#pragma once

#include <cstdint>

#include "layout/conv_columns.h"
#include "pbatch/tensor.h"

namespace pbatch {

/// Element (r, c) is data[r * row_stride + place_of(c)], place_of(c) = c * col_stride but for
/// convolutions, whose columns have a ConvColumnOrder here and are [channel][tap] in memory.
struct WeightView {
  const float* data = nullptr;
  std::int64_t rows = 0, cols = 0;
  std::int64_t row_stride = 0, col_stride = 1;
  std::int64_t taps = 1;  ///< of a convolution's kernel; more than one only with col_stride 1

  std::int64_t channels() const { return cols / taps; }
  ConvColumnOrder order() const { return {channels(), taps}; }
  std::int64_t place_of(std::int64_t c) const {
    return taps == 1 ? c * col_stride : order().channel_of(c) * taps + order().tap_of(c);
  }

  /// Copies rows begin .. end - 1 to out[end - begin][cols]. Takes the rows of
  /// a column-major matrix side by side, so that each cache line is read once.
  void copy_rows(std::int64_t begin, std::int64_t end, float* out) const {
    if (taps > 1) {
      for (std::int64_t r = begin; r < end; ++r) {
        const float* from = data + r * row_stride;
        float* const to = out + (r - begin) * cols;
        for (std::int64_t channel = 0; channel < channels(); ++channel) {
          const std::int64_t block = channel / ConvColumnOrder::kBlock;
          for (std::int64_t t = 0; t < taps; ++t) {
            to[order().column(block, t) + channel % ConvColumnOrder::kBlock] = *from++;
          }
        }
      }
      return;
    }
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

/// Convolution weights [rows][channels][kernel...].
inline WeightView conv_weight_view(const Tensor& weights) {
  const std::int64_t rows = weights.dim(0), channels = weights.dim(1);
  const std::int64_t cols = rows == 0 ? 0 : weights.size() / rows;
  return {weights.data<float>(), rows, cols, cols, 1, channels == 0 ? 1 : cols / channels};
}

/// float32 weights [rows][...], or `turned` [cols][rows].
inline WeightView weight_view(const Tensor& weights, bool turned) {
  const float* const data = weights.data<float>();
  if (turned) return {data, weights.dim(1), weights.dim(0), 1, weights.dim(1)};
  const std::int64_t rows = weights.dim(0), cols = rows == 0 ? 0 : weights.size() / rows;
  return {data, rows, cols, cols, 1};
}

}  // namespace pbatch
