// A product by the kernels of this folder: its memory, and how it is cut.
#pragma once

#include <cstdint>

#include "cuda/matrix.h"

namespace pbatch::cuda {

class Product final : public DeviceProduct {
 public:
  /// See Accelerator::create_product(). More vectors than kMaxBatch only with Method::gemm.
  static Result<Product> create(const Matrix& matrix, const ProductSettings& settings,
                                Method method, std::uint32_t* flag);

  const char* kernel() const override;
  Status quantize(const float* x, std::int64_t ldx, Stream stream) const override;
  Status multiply(const ProductOutput& out, Stream stream) const override;

  /// What quantize() of these vectors queues.
  QuantizeArgs quantize_args(const float* x, std::int64_t ldx) const;
  const ProductPlan& plan() const { return plan_; }
  std::int64_t rows() const { return args_.rows; }

 private:
  Product() = default;

  std::shared_ptr<Device> device_;
  std::int64_t cols_ = 0;
  std::uint32_t* flag_ = nullptr;
  ProductPlan plan_;
  ProductArgs args_ = {};
  DeviceBuffer activations_, run_sums_, scales_, terms_, arrivals_;
};

}  // namespace pbatch::cuda
