// Products of stacks of computed float matrices by oneDNN.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/buffer_pool.h"
#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

/// Where an operand's elements lie.
struct StackOperand {
  std::vector<std::int64_t> batch_strides;  ///< for each dimension of the batch; 0: the same again
  std::int64_t row_stride = 0, col_stride = 0;
};

/// Y [batch..., m, n] = A [batch..., m, k] B [batch..., k, n], Y without gaps. Immutable.
class DnnlStackProduct {
 public:
  /// Null if oneDNN has only its slow reference for such strides. No size may be 0. `threads` work
  /// on each product.
  static Result<std::shared_ptr<const DnnlStackProduct>> create(const Shape& batch, std::int64_t m,
                                                                std::int64_t k, std::int64_t n,
                                                                const StackOperand& a,
                                                                const StackOperand& b, int threads);
  ~DnnlStackProduct();

  int threads() const;

  /// From the first element of each on. Thread-safe.
  Status multiply(const float* a, const float* b, float* y, BufferPool& buffers) const;

 private:
  struct Impl;
  explicit DnnlStackProduct(std::unique_ptr<const Impl> impl);
  const std::unique_ptr<const Impl> impl_;
};

}  // namespace pbatch
