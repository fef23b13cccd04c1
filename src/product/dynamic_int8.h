// A linear layer as int8 engines run it: weights int8, activations quantized on the fly.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "kernel/epilogue.h"
#include "pbatch/status.h"
#include "product/int8_product.h"

namespace pbatch {

/// Float in, float out: each vector is quantized to unsigned bytes with its own
/// scale and zero point, multiplied by oneDNN, and brought back with one scale
/// per row, bias and activation. Not thread-safe.
class DynamicInt8Linear {
 public:
  /// `weights` is [rows][cols]; `bias` [rows] or null. Nothing keeps a pointer.
  static Result<DynamicInt8Linear> create(std::int64_t rows, std::int64_t cols, std::int64_t batch,
                                          const float* weights, const float* bias,
                                          Activation activation, int threads);

  std::int64_t rows() const { return rows_; }
  std::int64_t cols() const { return cols_; }
  std::int64_t weight_bytes() const { return product_->weight_bytes() + rows_ * 4; }
  /// x [batch][cols] -> y [batch][rows]. Precondition: x is finite.
  Status run(const float* x, float* y);

  /// The weights that it multiplies with, [rows][cols].
  std::vector<float> weights() const;
  /// The activations of the last run as they were rounded, [batch][cols].
  std::vector<float> activations() const;

 private:
  DynamicInt8Linear() = default;

  struct Scale {
    float step = 1.0F;
    std::int32_t zero = 0;
  };
  static Scale quantize(const float* x, std::int64_t count, int levels, std::uint8_t* out);
  void finish(const Scale& scale, const std::int32_t* acc, float* y) const;

  std::int64_t rows_ = 0, cols_ = 0, batch_ = 0;
  int levels_ = 255;
  Activation activation_ = Activation::none;
  std::vector<std::int8_t> codes_;
  std::vector<std::int32_t> row_sum_;  // of the codes, for the zero point
  std::vector<float> row_step_, bias_;
  std::vector<Scale> scales_;
  std::unique_ptr<Int8Product> product_;
};

}  // namespace pbatch
