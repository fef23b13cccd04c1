#include "product/image_layout.h"

#include <cstdint>

namespace pbatch {
namespace {

constexpr std::int64_t kTile = 16;

// to[c][r] = from[r][c], of a matrix that is part of larger ones.
template <class T>
void transpose_tile(const T* from, std::int64_t rows, std::int64_t cols, std::int64_t from_stride,
                    T* to, std::int64_t to_stride) {
  if (rows == kTile && cols == kTile) {
    T tile[kTile][kTile];
    for (std::int64_t r = 0; r < kTile; ++r) {
      for (std::int64_t c = 0; c < kTile; ++c) tile[c][r] = from[r * from_stride + c];
    }
    for (std::int64_t c = 0; c < kTile; ++c) {
      for (std::int64_t r = 0; r < kTile; ++r) to[c * to_stride + r] = tile[c][r];
    }
    return;
  }
  for (std::int64_t c = 0; c < cols; ++c) {
    for (std::int64_t r = 0; r < rows; ++r) to[c * to_stride + r] = from[r * from_stride + c];
  }
}

// `count` matrices [rows][cols] become [cols][rows].
template <class T>
void transpose(std::int64_t count, std::int64_t rows, std::int64_t cols, const T* from, T* to,
               ThreadPool& pool) {
  const std::int64_t strips = (rows + kTile - 1) / kTile;
  const std::int64_t grain = std::max<std::int64_t>(1, (1 << 14) / (kTile * cols));
  pool.parallel_for(count * strips, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t s = begin; s < end; ++s) {
      const std::int64_t matrix = s / strips * rows * cols, r = s % strips * kTile;
      for (std::int64_t c = 0; c < cols; c += kTile) {
        transpose_tile(from + matrix + r * cols + c, std::min(kTile, rows - r),
                       std::min(kTile, cols - c), cols, to + matrix + c * rows + r, rows);
      }
    }
  });
}

template <class T>
void change(const Shape& shape, Layout layout, const void* from, void* to, ThreadPool& pool) {
  std::int64_t positions = 1;
  for (std::size_t d = 2; d < shape.size(); ++d) positions *= shape[d];
  const bool last = layout == Layout::channels_last;
  transpose(shape[0], last ? shape[1] : positions, last ? positions : shape[1],
            static_cast<const T*>(from), static_cast<T*>(to), pool);
}

}  // namespace

std::vector<std::int64_t> strides_in_memory(const Shape& shape, Layout layout) {
  const Shape memory = shape_in_memory(shape, layout);
  std::vector<std::int64_t> strides(shape.size(), 1), in_order(shape.size(), 1);
  for (std::size_t d = memory.size(); d-- > 1;) in_order[d - 1] = in_order[d] * memory[d];
  for (std::size_t d = 0; d < shape.size(); ++d) {
    strides[d] = in_order[axis_in_memory(d, shape.size(), layout)];
  }
  return strides;
}

void change_layout(const Shape& shape, std::size_t size, Layout layout, const void* from, void* to,
                   ThreadPool& pool) {
  if (size == 1) return change<std::uint8_t>(shape, layout, from, to, pool);
  if (size == 2) return change<std::uint16_t>(shape, layout, from, to, pool);
  if (size == 4) return change<std::uint32_t>(shape, layout, from, to, pool);
  change<std::uint64_t>(shape, layout, from, to, pool);
}

}  // namespace pbatch
