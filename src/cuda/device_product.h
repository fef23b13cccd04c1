// A product held open on the device: what it needs besides the matrix, taken once.
#pragma once

#include <cstdint>

#include "cuda/device_matrix.h"

namespace pbatch::cuda {

struct ProductOutput {
  float* y = nullptr;  ///< device memory, [batch][ldy], rows of each
  std::int64_t ldy = 0;
  const float* bias = nullptr;  ///< device memory, [rows] or null
  Activation activation = Activation::none;
};

/// quantize() and multiply() only queue work, so they can be captured in a CUDA graph. One at a
/// time: memory is shared by the calls. The matrix must outlive it and stay where it is.
class DeviceProduct {
 public:
  /// Takes memory for up to `batch` vectors, more than kMaxBatch only with Method::gemm.
  /// `weight_bits`: the matrix has planes and scales for them.
  static Result<DeviceProduct> create(const DeviceMatrix& matrix, int weight_bits,
                                      int activation_bits, int batch, Method method,
                                      const DeviceLimits& device);

  /// Quantizes x, device memory, [count][ldx], cols of each; count as in the multiply() to come.
  Status quantize(const float* x, std::int64_t ldx, int count, Stream stream);
  /// y = W x of the vectors quantized last.
  Status multiply(const ProductOutput& out, int count, Stream stream);
  /// Waits for the stream; not_finite if a vector since the last call held a NaN or an infinity,
  /// whose results then mean nothing.
  Status finish(Stream stream);

  const ProductPlan& plan() const { return plan_; }

 private:
  DeviceProduct() = default;

  std::int64_t cols_ = 0;
  Method method_ = Method::bits;
  ProductPlan plan_;
  ProductArgs args_ = {};
  DeviceBuffer activations_, run_sums_, scales_, terms_, arrivals_, not_finite_;
};

}  // namespace pbatch::cuda
