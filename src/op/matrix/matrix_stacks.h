// The operands of numpy.matmul as stacks of matrices.
#pragma once

#include <cstdint>
#include <vector>

#include "op/step.h"
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

/// Where the matrices of an operand lie and how, as a matrix product takes them: [rows, cols]
/// row-major with `stride` elements from row to row, or so transposed.
struct StackedMatrices {
  bool transposed = false;
  std::int64_t stride = 0;                  ///< of rows as stored
  std::int64_t offset = 0;                  ///< of the first matrix
  std::vector<std::int64_t> batch_strides;  ///< for each dimension of the batch; 0 where broadcast

  /// The element at which the matrix of the i-th product begins.
  std::int64_t first(const Shape& batch, std::int64_t i) const;
};

/// Whether the matrices in these elements of a tensor of rank 2 or more are such ones.
bool are_matrices(const Shape& shape, const ElementView& view);

/// `own`: the operand's leading dimensions, as in MatrixStacks. `view`: null if it lies row-major.
/// Precondition: are_matrices().
StackedMatrices stacked_matrices(const Shape& own, std::int64_t rows, std::int64_t cols,
                                 const ElementView* view);

}  // namespace pbatch
