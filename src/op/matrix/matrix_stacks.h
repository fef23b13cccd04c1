// The operands of numpy.matmul as stacks of matrices.
#pragma once

#include <cstdint>

#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

/// Two stacks of matrices [m, k] and [k, n]; `batch` is what their leading dimensions
/// broadcast to.
struct MatrixStacks {
  std::int64_t m = 0, k = 0, n = 0;
  Shape a, b, batch;  ///< leading dimensions, of equal rank
  Shape result;
};

/// shape_mismatch if A and B do not multiply.
Result<MatrixStacks> match_stacks(const Tensor& a, const Tensor& b);

/// Which of an operand's matrices takes part in the i-th product.
std::int64_t matrix_index(const Shape& own, const Shape& batch, std::int64_t i);

}  // namespace pbatch
