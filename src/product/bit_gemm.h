// A bit-layer product as the operators call it: Y = X W^T (+ bias, activation).
#pragma once

#include <cstdint>
#include <memory>

#include "base/buffer_pool.h"
#include "base/thread_pool.h"
#include "isa/isa.h"
#include "kernel/epilogue.h"
#include "kernel/registry.h"
#include "layout/bit_matrix.h"
#include "pbatch/precision.h"
#include "pbatch/status.h"
#include "product/packed_vectors.h"
#include "product/step_timings.h"

namespace pbatch {

/// A matrix made ready for one kernel at one width: plane pointers in the
/// kernel's layout and group scales expanded to one byte per row and run.
/// Immutable.
struct PreparedMatrix;

/// Makes and keeps the PreparedMatrix of every width and kernel asked for, as long as the bound of
/// WeightStore allows; repacked planes are made once and shared between widths. Thread-safe.
class MatrixCache {
 public:
  explicit MatrixCache(std::shared_ptr<const BitMatrix> matrix);
  ~MatrixCache();
  /// The one that all who have the same matrix use while any of them lives.
  static std::shared_ptr<MatrixCache> shared(const std::shared_ptr<const BitMatrix>& matrix);
  /// precision_unavailable if weight_bits exceeds the planes at hand.
  Result<std::shared_ptr<const PreparedMatrix>> get(const BitKernel& kernel, int weight_bits);
  const BitMatrix& matrix() const;
  /// What all that it has made takes now.
  std::int64_t bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct BitGemmCall {
  const float* x = nullptr;  ///< [batch][cols], rows ldx floats apart
  std::int64_t ldx = 0;
  float* y = nullptr;  ///< [batch][rows], rows ldy floats apart
  std::int64_t ldy = 0;
  std::int64_t batch = 1;
  int activation_bits = 16;     ///< 8, 16 or 32
  const float* bias = nullptr;  ///< [rows] or null
  Activation activation = Activation::none;
  /// Memory for the packed vectors of all of x, for BitProduct::key_of the whole batch, if other
  /// calls read them, too; else they are made part by part in scratch memory.
  void* packed = nullptr;
  bool packed_ready = false;     ///< they are there already
  StepPhases* phases = nullptr;  ///< where the parts' times are added; or null
};

/// Bytes of scratch memory of a call.
std::size_t bit_gemm_scratch_bytes(const PreparedMatrix& matrix, std::int64_t batch,
                                   int activation_bits);

/// Quantizes the activations, multiplies, and finishes, on `pool`. `scratch`: as many bytes as
/// bit_gemm_scratch_bytes() says, 64-byte aligned. not_finite if x holds a NaN or an infinity. The
/// result does not depend on kernel, ISA, threads or batch size.
Status bit_gemm(const PreparedMatrix& matrix, const BitGemmCall& call, ThreadPool& pool,
                BufferPool& buffers, void* scratch);
/// With scratch memory from `buffers`.
Status bit_gemm(const PreparedMatrix& matrix, const BitGemmCall& call, ThreadPool& pool,
                BufferPool& buffers);

}  // namespace pbatch
