// The oneDNN side of a float matrix product.
#pragma once

#include <cstdint>
#include <memory>

#include "base/buffer_pool.h"
#include "pbatch/status.h"
#include "product/float_gemm.h"

namespace pbatch {

/// oneDNN's primitives for one matrix, one for each batch size met lately, and
/// its weights in the formats that these want. Thread-safe.
class DnnlProducts {
 public:
  /// `weights` is [rows][cols], or [cols][rows] if `transposed`, and must
  /// outlive the object.
  DnnlProducts(const float* weights, std::int64_t rows, std::int64_t cols, bool transposed);
  ~DnnlProducts();

  /// Y = X W^T + bias; leaves the activation to the caller, because oneDNN's Relu
  /// turns NaN into 0. Precondition: batch, rows and cols are not 0.
  Status multiply(const FloatGemmCall& call, int threads, BufferPool& buffers);

  /// Frees what is kept for a batch size, and weights that nothing else uses.
  void forget(std::int64_t batch);

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace pbatch
