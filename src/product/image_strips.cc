#include "product/image_strips.h"

#include <algorithm>

namespace pbatch {

ImageStrips::ImageStrips(const ConvGeometry& g) {
  const std::size_t rank = g.spatial_rank();
  std::size_t axis = 0;
  while (axis + 1 < rank && g.in[axis] == 1 && g.out[axis] == 1) ++axis;
  rows_ = g.out[axis];
  in_rows_ = g.in[axis];
  stride_ = g.strides[axis];
  extent_ = g.extent(axis);
  pad_ = g.pads_begin[axis];
  for (std::size_t d = axis + 1; d < rank; ++d) {
    row_windows_ *= g.out[d];
    row_pixels_ *= g.in[d];
  }
  const std::int64_t windows = rows_ * row_windows_;
  const std::int64_t wanted = std::max<std::int64_t>(1, windows / kStripWindows);
  strip_rows_ = (rows_ + wanted - 1) / wanted;
  count_ = (rows_ + strip_rows_ - 1) / strip_rows_;
}

ImageStrip ImageStrips::at(std::int64_t strip) const {
  const std::int64_t begin = strip * strip_rows_, end = std::min(begin + strip_rows_, rows_);
  const std::int64_t first = std::clamp<std::int64_t>(begin * stride_ - pad_, 0, in_rows_);
  const std::int64_t last = std::clamp((end - 1) * stride_ - pad_ + extent_, first, in_rows_);
  return {begin * row_windows_, end * row_windows_, first * row_pixels_, last * row_pixels_};
}

std::int64_t ImageStrips::most_pixels() const {
  std::int64_t most = 0;
  for (std::int64_t i = 0; i < count_; ++i) {
    const ImageStrip strip = at(i);
    most = std::max(most, strip.pixel_end - strip.pixel_begin);
  }
  return most;
}

}  // namespace pbatch
