#include "op/shape/strided_copy.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "op/data_checks.h"
#include "op/float_checks.h"

namespace pbatch {
namespace {

// Leaves out dimensions of 1 and joins neighbours that one stride describes.
void join_dimensions(StridedView& view) {
  Shape shape;
  std::vector<std::int64_t> strides;
  for (std::size_t d = 0; d < view.shape.size(); ++d) {
    if (view.shape[d] == 1) continue;
    if (!shape.empty() && strides.back() == view.strides[d] * view.shape[d]) {
      shape.back() *= view.shape[d];
      strides.back() = view.strides[d];
    } else {
      shape.push_back(view.shape[d]);
      strides.push_back(view.strides[d]);
    }
  }
  view.shape = std::move(shape);
  view.strides = std::move(strides);
}

template <class T>
void copy_row(const T* from, std::int64_t stride, std::int64_t count, T* to) {
  if (stride == 1) {
    std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(T));
  } else if (stride == 0) {
    std::fill_n(to, count, *from);
  } else {
    for (std::int64_t i = 0; i < count; ++i) to[i] = from[i * stride];
  }
}

std::int64_t offset_of(const std::vector<std::int64_t>& sizes,
                       const std::vector<std::int64_t>& strides, std::int64_t i) {
  std::int64_t offset = 0;
  for (std::size_t d = sizes.size(); d-- > 0;) {
    offset += i % sizes[d] * strides[d];
    i /= sizes[d];
  }
  return offset;
}

}  // namespace

std::int64_t StridedCopy::Outer::source(std::int64_t i) const { return offset_of(sizes, from, i); }
std::int64_t StridedCopy::Outer::target(std::int64_t i) const { return offset_of(sizes, to, i); }

StridedCopy::StridedCopy(const Shape& shape, const std::vector<std::int64_t>& strides,
                         std::size_t element_size)
    : element_size_(element_size) {
  StridedView view{nullptr, shape, strides};
  for (const std::int64_t d : shape) elements_ *= d;
  join_dimensions(view);
  if (view.shape.empty()) return;
  const std::vector<std::int64_t> to = row_major_strides(view.shape);
  cols_ = view.shape.back();
  stride_ = view.strides.back();
  std::size_t across = view.shape.size();
  const auto unit = std::find(view.strides.begin(), view.strides.end(), 1);
  if (stride_ != 0 && stride_ != 1 && unit != view.strides.end()) {
    across = static_cast<std::size_t>(unit - view.strides.begin());
    rows_ = view.shape[across];
    rows_to_stride_ = to[across];
  }
  for (std::size_t d = 0; d + 1 < view.shape.size(); ++d) {
    if (d == across) continue;
    outer_.count *= view.shape[d];
    outer_.sizes.push_back(view.shape[d]);
    outer_.from.push_back(view.strides[d]);
    outer_.to.push_back(to[d]);
  }
}

template <class T>
void StridedCopy::run_rows(const T* from, T* to, ThreadPool& pool) const {
  const std::int64_t bytes = cols_ * static_cast<std::int64_t>(sizeof(T));
  pool.parallel_for(outer_.count, items_worth_a_thread(bytes),
                    [&](std::int64_t begin, std::int64_t end) {
                      for (std::int64_t row = begin; row < end; ++row) {
                        copy_row(from + outer_.source(row), stride_, cols_, to + row * cols_);
                      }
                    });
}

// Elements that are neighbours in the source lie apart in the destination: small squares use every
// cache line that they touch in full, on both sides.
template <class T>
void StridedCopy::run_squares(const T* from, T* to, ThreadPool& pool) const {
  constexpr std::int64_t kSide = 32;
  const std::int64_t bands = (rows_ + kSide - 1) / kSide;
  const std::int64_t bytes = std::min(rows_, kSide) * cols_ * static_cast<std::int64_t>(sizeof(T));
  const auto task = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t first = i % bands * kSide, last = std::min(rows_, first + kSide);
      const T* const source = from + outer_.source(i / bands);
      T* const target = to + outer_.target(i / bands);
      for (std::int64_t left = 0; left < cols_; left += kSide) {
        const std::int64_t right = std::min(cols_, left + kSide);
        for (std::int64_t r = first; r < last; ++r) {
          for (std::int64_t c = left; c < right; ++c) {
            target[r * rows_to_stride_ + c] = source[r + c * stride_];
          }
        }
      }
    }
  };
  pool.parallel_for(outer_.count * bands, items_worth_a_thread(bytes), task);
}

template <class T>
void StridedCopy::run_typed(const void* from, void* to, ThreadPool& pool) const {
  if (rows_ != 0) {
    run_squares(static_cast<const T*>(from), static_cast<T*>(to), pool);
  } else {
    run_rows(static_cast<const T*>(from), static_cast<T*>(to), pool);
  }
}

void StridedCopy::run(const void* first, void* to, ThreadPool& pool) const {
  if (elements_ == 0) return;
  switch (element_size_) {
    case 1:
      return run_typed<std::uint8_t>(first, to, pool);
    case 2:
      return run_typed<std::uint16_t>(first, to, pool);
    case 4:
      return run_typed<std::uint32_t>(first, to, pool);
    default:
      return run_typed<std::uint64_t>(first, to, pool);
  }
}

StepPlan plan_copy(TensorType output, const std::vector<std::int64_t>& strides,
                   std::int64_t offset) {
  const Shape shape = output.shape;
  StepPlan plan = plan_copy(std::move(output), shape, strides, offset);
  plan.view = ElementView{strides, offset};
  return plan;
}

StepPlan plan_copy(TensorType output, const Shape& shape, const std::vector<std::int64_t>& strides,
                   std::int64_t offset) {
  const std::size_t size = dtype_size(output.dtype);
  StridedCopy copy(shape, strides, size);
  const std::int64_t bytes = offset * static_cast<std::int64_t>(size);
  return StepPlan::of(std::move(output), [copy = std::move(copy), bytes](const StepCall& call) {
    if (!copy.is_empty()) copy.run(call.input<char>(0) + bytes, call.out[0], call.pool);
    return Status::ok();
  });
}

void copy_strided(const StridedView& from, Tensor& to, ThreadPool& pool) {
  StridedCopy(from.shape, from.strides, dtype_size(to.dtype()))
      .run(from.first, to.mutable_raw(), pool);
}

}  // namespace pbatch
