// The one copy behind Transpose, Slice, Split, Expand and Tile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "op/step.h"
#include "pbatch/tensor.h"

namespace pbatch {

/// Elements of memory that need not be contiguous: where the first one lies, and per
/// dimension how many there are and how many elements lie between one and the next
/// (0: the same again; negative: backwards).
struct StridedView {
  const void* first = nullptr;
  Shape shape;
  std::vector<std::int64_t> strides;
};

/// The same copy of memory of one form, again and again. Joins dimensions when it is made.
class StridedCopy {
 public:
  /// `element_size`: 1, 2, 4 or 8.
  StridedCopy(const Shape& shape, const std::vector<std::int64_t>& strides,
              std::size_t element_size);

  bool is_empty() const { return elements_ == 0; }
  /// From where the first element lies, into row-major order.
  void run(const void* first, void* to, ThreadPool& pool) const;

 private:
  // What the loops go over: outer dimensions, and one or two inner ones.
  struct Outer {
    std::int64_t count = 1;
    std::vector<std::int64_t> sizes, from, to;  // strides
    std::int64_t source(std::int64_t i) const;
    std::int64_t target(std::int64_t i) const;
  };
  template <class T>
  void run_rows(const T* from, T* to, ThreadPool& pool) const;
  template <class T>
  void run_squares(const T* from, T* to, ThreadPool& pool) const;
  template <class T>
  void run_typed(const void* from, void* to, ThreadPool& pool) const;

  std::size_t element_size_;
  std::int64_t elements_ = 1;
  Outer outer_;
  std::int64_t cols_ = 1, stride_ = 1;          // the last dimension
  std::int64_t rows_ = 0, rows_to_stride_ = 0;  // one whose source stride is 1; 0: none
};

/// Output 0 from elements of input 0, the first of them at `offset`; `strides` for its dimensions.
StepPlan plan_copy(TensorType output, const std::vector<std::int64_t>& strides,
                   std::int64_t offset = 0);
/// The same where the source has other dimensions, `shape`, of as many elements.
StepPlan plan_copy(TensorType output, const Shape& shape, const std::vector<std::int64_t>& strides,
                   std::int64_t offset);

/// Fills `to` in row-major order. Precondition: `to` has the element type and as many
/// elements as the view.
void copy_strided(const StridedView& from, Tensor& to, ThreadPool& pool);

}  // namespace pbatch
