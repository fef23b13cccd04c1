#include "execute/ops/strided_copy.h"

#include <algorithm>
#include <cstring>

#include "execute/ops/data_checks.h"
#include "execute/ops/float_checks.h"

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

// Distance of the i-th element of a view from its first.
std::int64_t offset_of(const Shape& shape, const std::vector<std::int64_t>& strides,
                       std::int64_t i) {
  std::int64_t offset = 0;
  for (std::size_t d = shape.size(); d-- > 0;) {
    offset += i % shape[d] * strides[d];
    i /= shape[d];
  }
  return offset;
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

template <class T>
void copy_rows(const StridedView& view, T* to, ThreadPool& pool) {
  const T* const from = static_cast<const T*>(view.first);
  const std::int64_t count = view.shape.back(), stride = view.strides.back();
  const Shape outer(view.shape.begin(), view.shape.end() - 1);
  const std::int64_t rows = product_of(outer, 0, outer.size());
  const std::int64_t bytes = count * static_cast<std::int64_t>(sizeof(T));
  pool.parallel_for(rows, items_worth_a_thread(bytes), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      copy_row(from + offset_of(outer, view.strides, row), stride, count, to + row * count);
    }
  });
}

// Elements that are neighbours in the source lie apart in the destination, along dimension
// `across`: small squares use every cache line that they touch in full, on both sides.
template <class T>
void copy_squares(const StridedView& view, std::size_t across, T* to, ThreadPool& pool) {
  constexpr std::int64_t kSide = 32;
  const T* const from = static_cast<const T*>(view.first);
  const std::vector<std::int64_t> to_strides = row_major_strides(view.shape);
  const std::int64_t cols = view.shape.back(), stride = view.strides.back();
  const std::int64_t rows = view.shape[across], to_stride = to_strides[across];
  Shape outer;
  std::vector<std::int64_t> outer_from, outer_to;
  for (std::size_t d = 0; d + 1 < view.shape.size(); ++d) {
    if (d == across) continue;
    outer.push_back(view.shape[d]);
    outer_from.push_back(view.strides[d]);
    outer_to.push_back(to_strides[d]);
  }
  const std::int64_t bands = (rows + kSide - 1) / kSide;
  const std::int64_t bytes = std::min(rows, kSide) * cols * static_cast<std::int64_t>(sizeof(T));
  const auto task = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t first = i % bands * kSide, last = std::min(rows, first + kSide);
      const T* const source = from + offset_of(outer, outer_from, i / bands);
      T* const target = to + offset_of(outer, outer_to, i / bands);
      for (std::int64_t left = 0; left < cols; left += kSide) {
        const std::int64_t right = std::min(cols, left + kSide);
        for (std::int64_t r = first; r < last; ++r) {
          for (std::int64_t c = left; c < right; ++c) {
            target[r * to_stride + c] = source[r + c * stride];
          }
        }
      }
    }
  };
  pool.parallel_for(product_of(outer, 0, outer.size()) * bands, items_worth_a_thread(bytes), task);
}

template <class T>
void copy_typed(const StridedView& view, Tensor& to, ThreadPool& pool) {
  T* const target = static_cast<T*>(to.mutable_raw());
  if (view.shape.empty()) {
    *target = *static_cast<const T*>(view.first);
    return;
  }
  const auto unit = std::find(view.strides.begin(), view.strides.end(), 1);
  const std::int64_t stride = view.strides.back();
  if (stride != 0 && stride != 1 && unit != view.strides.end()) {
    copy_squares(view, static_cast<std::size_t>(unit - view.strides.begin()), target, pool);
  } else {
    copy_rows(view, target, pool);
  }
}

}  // namespace

void copy_strided(StridedView from, Tensor& to, ThreadPool& pool) {
  if (to.size() == 0) return;
  join_dimensions(from);
  switch (dtype_size(to.dtype())) {
    case 1:
      return copy_typed<std::uint8_t>(from, to, pool);
    case 2:
      return copy_typed<std::uint16_t>(from, to, pool);
    case 4:
      return copy_typed<std::uint32_t>(from, to, pool);
    default:
      return copy_typed<std::uint64_t>(from, to, pool);
  }
}

}  // namespace pbatch
