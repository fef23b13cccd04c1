// A product held open on the device: what it needs besides the matrix, taken once.
#pragma once

#include <cstdint>

#include "cuda/device_matrix.h"

namespace pbatch::cuda {

struct ProductSettings {
  int weight_bits = 4;       ///< the matrix has planes and scales for them
  int activation_bits = 16;  ///< 8, 16 or 32
  int batch = 1;             ///< vectors; more than kMaxBatch only with Method::gemm
  Method method = Method::bits;
  std::int64_t first_block = 0;  ///< of the matrix's blocks of 16 rows, those that are multiplied
  std::int64_t blocks = -1;      ///< -1: all from first_block on
};

struct ProductOutput {
  float* y = nullptr;  ///< device memory, [batch][ldy], rows of each
  std::int64_t ldy = 0;
  const float* bias = nullptr;  ///< device memory, [rows] or null
  Activation activation = Activation::none;
};

/// quantize() and multiply() only queue work, so they can be recorded. One at a time: memory is
/// shared by the calls. The matrix must outlive it and stay where it is.
class DeviceProduct {
 public:
  /// `flag`: a word of device memory that gets kFlagNotFinite when a vector holds a NaN or an
  /// infinity, whose results then mean nothing.
  static Result<DeviceProduct> create(const DeviceMatrix& matrix, const ProductSettings& settings,
                                      std::uint32_t* flag);

  /// How to quantize x, device memory, [batch][ldx], cols of each, for the next multiply().
  QuantizeArgs quantize_args(const float* x, std::int64_t ldx) const;
  Status quantize(const float* x, std::int64_t ldx, Stream stream) const;
  /// y = W x of the vectors quantized last.
  Status multiply(const ProductOutput& out, Stream stream) const;

  const ProductPlan& plan() const { return plan_; }
  std::int64_t rows() const { return args_.rows; }

 private:
  DeviceProduct() = default;

  std::shared_ptr<Device> device_;
  std::int64_t cols_ = 0;
  std::uint32_t* flag_ = nullptr;
  ProductPlan plan_;
  ProductArgs args_ = {};
  DeviceBuffer activations_, run_sums_, scales_, terms_, arrivals_;
};

}  // namespace pbatch::cuda
