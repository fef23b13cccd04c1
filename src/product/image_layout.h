// How the elements of an image lie in memory.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "pbatch/tensor.h"

namespace pbatch {

/// Of a tensor [batch, channels, spatial...]; one of another rank is always plain.
enum class Layout {
  plain,          ///< row-major
  channels_last,  ///< as row-major [batch, spatial..., channels]
};

/// Whether a tensor of this shape lies in both layouts alike, or has only one.
inline bool has_one_layout(const Shape& shape) {
  if (shape.size() < 3 || shape[1] == 1) return true;
  return std::all_of(shape.begin() + 2, shape.end(), [](std::int64_t d) { return d == 1; });
}

/// The shape as its elements lie: with the channels behind the rest.
inline Shape shape_in_memory(Shape shape, Layout layout) {
  if (layout == Layout::channels_last && shape.size() >= 3) {
    std::rotate(shape.begin() + 1, shape.begin() + 2, shape.end());
  }
  return shape;
}

/// The shape with dimensions of 1 in front, up to `rank`, as broadcasting has it.
inline Shape padded_shape(Shape shape, std::size_t rank) {
  shape.insert(shape.begin(), rank - std::min(rank, shape.size()), 1);
  return shape;
}

/// Elements from one step along each dimension to the next.
std::vector<std::int64_t> strides_in_memory(const Shape& shape, Layout layout);

/// The axis of the shape in memory that `axis` of the shape becomes.
inline std::size_t axis_in_memory(std::size_t axis, std::size_t rank, Layout layout) {
  if (layout == Layout::plain || axis == 0 || rank < 3) return axis;
  return axis == 1 ? rank - 1 : axis - 1;
}

/// How a convolution wants an image that lies in `now`: few channels are as well read from planes.
inline Layout layout_for_convolution(const Shape& image, Layout now) {
  if (image.size() < 3 || image.size() > 5) return Layout::plain;
  return image[1] < 4 ? now : Layout::channels_last;
}

/// Copies elements of `size` bytes (1, 2, 4 or 8) of a tensor of rank 3 or more to `layout` from
/// the other one.
void change_layout(const Shape& shape, std::size_t size, Layout layout, const void* from, void* to,
                   ThreadPool& pool);

}  // namespace pbatch
