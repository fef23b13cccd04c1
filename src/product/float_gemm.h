// A constant float matrix, multiplied by whichever library is fastest.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "base/buffer_pool.h"
#include "base/thread_pool.h"
#include "kernel/epilogue.h"
#include "pbatch/plan.h"
#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

class DnnlProducts;
class DynamicInt8Linear;

struct FloatGemmCall {
  const float* x = nullptr;  ///< [batch][cols]
  std::int64_t batch = 1;
  float* y = nullptr;           ///< [batch][rows]; must not overlap x
  const float* bias = nullptr;  ///< [rows] or null
  Activation activation = Activation::none;
};

/// A rows x cols matrix W. Thread-safe.
class FloatMatrix {
 public:
  enum class Layout {
    rows_cols,  ///< [rows][cols], as Gemm with transB has it
    cols_rows,  ///< [cols][rows], as MatMul has it
  };

  /// Shares the tensor's storage. shape_mismatch unless it is float32 and has two dimensions.
  static Result<std::unique_ptr<FloatMatrix>> create(Tensor weights, Layout layout);
  ~FloatMatrix();

  std::int64_t rows() const { return rows_; }
  std::int64_t cols() const { return cols_; }

  /// Y = X W^T + bias, then the activation. FloatBackend::fastest measures both
  /// libraries when it first meets a thread count and a power of two of the
  /// batch, and keeps the faster: two matrices, or two processes, may choose
  /// differently and then differ in the last bits. FloatBackend::onednn_int8 is
  /// the baseline of its name; it takes the bias of its first call. Matrices of
  /// fewer than 4096 weights take longer to begin than to multiply: but for the
  /// libraries by name they are multiplied by vector functions, with the same
  /// bits on every machine and in every batch of up to 8, or all with by_row.
  Status multiply(const FloatGemmCall& call, FloatBackend backend, ThreadPool& pool,
                  BufferPool& buffers) const;

 private:
  FloatMatrix(Tensor weights, Layout layout);
  Status multiply_int8(const FloatGemmCall& call, int threads) const;
  void multiply_small(const FloatGemmCall& call) const;
  Status multiply_by_row(const FloatGemmCall& call) const;
  Status multiply_openblas(const FloatGemmCall& call, int threads) const;
  Result<FloatBackend> fastest(const FloatGemmCall& call, int threads, BufferPool& buffers) const;
  Result<FloatBackend> measure(const FloatGemmCall& call, int threads, BufferPool& buffers) const;

  const Tensor weights_;
  const Layout layout_;
  const std::int64_t rows_, cols_;
  const Tensor small_;  ///< [cols][rows] of a small matrix; else empty
  const std::unique_ptr<DnnlProducts> products_;
  mutable std::mutex mutex_;
  mutable std::map<std::pair<int, int>, FloatBackend> chosen_;  // (threads, bits of the batch)
  mutable std::map<std::pair<int, std::int64_t>, std::unique_ptr<DynamicInt8Linear>>
      int8_;  // (threads, batch); runs under the mutex
};

}  // namespace pbatch
