#include "op/matrix/matrix_stacks.h"

#include <algorithm>

namespace pbatch {
namespace {

Status wrong_factors(const Tensor& a, const Tensor& b) {
  return {
      ErrorCode::shape_mismatch,
      "A " + shape_to_string(a.shape()) + " does not multiply with B " + shape_to_string(b.shape()),
      "feed the shape that the network was trained on"};
}

Shape leading(const Shape& shape, std::size_t rank) {
  const std::size_t own = shape.size() > 2 ? shape.size() - 2 : 0;
  Shape dims(rank - own, 1);
  dims.insert(dims.end(), shape.begin(), shape.begin() + static_cast<std::ptrdiff_t>(own));
  return dims;
}

}  // namespace

Result<MatrixStacks> match_stacks(const Tensor& a, const Tensor& b) {
  if (a.rank() == 0 || b.rank() == 0) return wrong_factors(a, b);
  MatrixStacks s;
  s.m = a.rank() == 1 ? 1 : a.dim(a.rank() - 2);
  s.k = a.shape().back();
  s.n = b.rank() == 1 ? 1 : b.shape().back();
  if (s.k != (b.rank() == 1 ? b.dim(0) : b.dim(b.rank() - 2))) return wrong_factors(a, b);
  const std::size_t rank = std::max({a.rank(), b.rank(), std::size_t{2}}) - 2;
  s.a = leading(a.shape(), rank);
  s.b = leading(b.shape(), rank);
  for (std::size_t i = 0; i < rank; ++i) {
    if (s.a[i] != s.b[i] && s.a[i] != 1 && s.b[i] != 1) return wrong_factors(a, b);
    s.batch.push_back(s.a[i] == 1 ? s.b[i] : s.a[i]);
  }
  s.result = s.batch;
  if (a.rank() != 1) s.result.push_back(s.m);
  if (b.rank() != 1) s.result.push_back(s.n);
  return s;
}

std::int64_t matrix_index(const Shape& own, const Shape& batch, std::int64_t i) {
  std::int64_t index = 0, stride = 1;
  for (std::size_t d = batch.size(); d-- > 0;) {
    if (own[d] != 1) index += i % batch[d] * stride;
    stride *= own[d];
    i /= batch[d];
  }
  return index;
}

std::int64_t StackedMatrices::first(const Shape& batch, std::int64_t i) const {
  std::int64_t element = offset;
  for (std::size_t d = batch.size(); d-- > 0;) {
    element += i % batch[d] * batch_strides[d];
    i /= batch[d];
  }
  return element;
}

namespace {

// Rows of so many elements that follow one another.
bool are_rows(std::int64_t rows, std::int64_t cols, std::int64_t row_stride,
              std::int64_t col_stride) {
  return (cols == 1 || col_stride == 1) && (rows == 1 || row_stride >= cols);
}

}  // namespace

bool are_matrices(const Shape& shape, const ElementView& view) {
  const std::size_t rank = shape.size();
  if (rank < 2) return false;
  const std::int64_t rows = shape[rank - 2], cols = shape[rank - 1];
  const std::int64_t row_stride = view.strides[rank - 2], col_stride = view.strides[rank - 1];
  return are_rows(rows, cols, row_stride, col_stride) ||
         are_rows(cols, rows, col_stride, row_stride);
}

StackedMatrices stacked_matrices(const Shape& own, std::int64_t rows, std::int64_t cols,
                                 const ElementView* view) {
  StackedMatrices m;
  m.batch_strides.resize(own.size(), 0);
  if (view == nullptr) {
    m.stride = std::max<std::int64_t>(1, cols);
    std::int64_t stride = rows * cols;
    for (std::size_t d = own.size(); d-- > 0; stride *= own[d]) {
      if (own[d] != 1) m.batch_strides[d] = stride;
    }
    return m;
  }
  const std::size_t rank = view->strides.size();
  const std::int64_t row_stride = view->strides[rank - 2], col_stride = view->strides[rank - 1];
  m.offset = view->offset;
  m.transposed = !are_rows(rows, cols, row_stride, col_stride);
  const std::int64_t least = std::max<std::int64_t>(1, m.transposed ? rows : cols);
  m.stride = std::max(least, m.transposed ? col_stride : row_stride);
  // The last of both are the same; where one has more of them, those are 1.
  for (std::size_t back = 1; back <= std::min(own.size(), rank - 2); ++back) {
    const std::size_t d = own.size() - back;
    if (own[d] != 1) m.batch_strides[d] = view->strides[rank - 2 - back];
  }
  return m;
}

}  // namespace pbatch
