// An image in strips, whose activations are quantized together.
#pragma once

#include <cstdint>

#include "product/conv_geometry.h"

namespace pbatch {

/// Some windows that follow each other, and the pixels that they lie on, in row-major order.
struct ImageStrip {
  std::int64_t window_begin = 0, window_end = 0;
  std::int64_t pixel_begin = 0, pixel_end = 0;
};

/// How a convolution goes over one image: strips of whole rows of windows, about kStripWindows in
/// each. A row is one place along the first dimension with more than one place or pixel. What a
/// strip covers depends on the geometry alone, so results do too. Its pixels are all between the
/// first and the last row that its windows lie on.
class ImageStrips {
 public:
  /// Enough for what the edges of strips quantize twice not to matter, few enough to stay in a
  /// core's cache.
  static constexpr std::int64_t kStripWindows = 256;

  explicit ImageStrips(const ConvGeometry& geometry);

  std::int64_t count() const { return count_; }
  ImageStrip at(std::int64_t strip) const;
  /// Of the largest strip.
  std::int64_t most_pixels() const;

 private:
  std::int64_t rows_ = 1, stride_ = 1, extent_ = 1, pad_ = 0, in_rows_ = 1;
  std::int64_t row_windows_ = 1, row_pixels_ = 1;
  std::int64_t strip_rows_ = 1, count_ = 0;
};

}  // namespace pbatch
