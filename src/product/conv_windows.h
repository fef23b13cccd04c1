// The windows of a convolution, one after the other.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "product/conv_geometry.h"

namespace pbatch {

/// What every window sees of an image. Precondition: 1, 2 or 3 spatial dimensions.
class ConvWindows {
 public:
  explicit ConvWindows(const ConvGeometry& geometry);

  /// For each of the windows begin .. end - 1: start(i, inside), i counting from 0, `inside` if no
  /// part of it hangs over the edge; then part(tap, count, pixel) for what lies on the image:
  /// `count` neighbours from `pixel` on, both in row-major order, are under the window's elements
  /// from `tap` on.
  template <class Start, class Part>
  void visit(std::int64_t begin, std::int64_t end, Start&& start, Part&& part) const;

 private:
  // One dimension; those that the geometry lacks have one element.
  struct Axis {
    std::int64_t in = 1, out = 1, kernel = 1, stride = 1, dilation = 1, pad = 0;
    std::vector<Taps> taps;  // by place of the window

    std::int64_t start(std::int64_t place) const { return place * stride - pad; }
    bool holds_all(std::int64_t place) const {
      const Taps t = taps[static_cast<std::size_t>(place)];
      return t.begin == 0 && t.end == kernel;
    }
  };
  using Place = std::array<std::int64_t, 3>;

  template <class Part>
  void visit_parts(const Place& place, Part&& part) const;

  std::array<Axis, 3> axes_;
};

template <class Start, class Part>
void ConvWindows::visit(std::int64_t begin, std::int64_t end, Start&& start, Part&& part) const {
  const auto& [depth, height, width] = axes_;
  Place place{begin / (height.out * width.out), begin / width.out % height.out, begin % width.out};
  for (std::int64_t i = 0; i < end - begin; ++i) {
    start(i, depth.holds_all(place[0]) && height.holds_all(place[1]) && width.holds_all(place[2]));
    visit_parts(place, part);
    for (std::size_t d = 3; d-- > 0 && ++place[d] == axes_[d].out && d > 0;) place[d] = 0;
  }
}

template <class Part>
void ConvWindows::visit_parts(const Place& place, Part&& part) const {
  const auto& [depth, height, width] = axes_;
  const Taps in_z = depth.taps[static_cast<std::size_t>(place[0])];
  const Taps in_y = height.taps[static_cast<std::size_t>(place[1])];
  const Taps in_x = width.taps[static_cast<std::size_t>(place[2])];
  if (in_x.begin == in_x.end) return;
  const std::int64_t x = width.start(place[2]);
  for (std::int64_t kz = in_z.begin; kz < in_z.end; ++kz) {
    const std::int64_t z = depth.start(place[0]) + kz * depth.dilation;
    for (std::int64_t ky = in_y.begin; ky < in_y.end; ++ky) {
      const std::int64_t y = height.start(place[1]) + ky * height.dilation;
      const std::int64_t row = (z * height.in + y) * width.in + x;
      const std::int64_t tap = (kz * height.kernel + ky) * width.kernel;
      if (width.dilation == 1) {
        part(tap + in_x.begin, in_x.end - in_x.begin, row + in_x.begin);
        continue;
      }
      for (std::int64_t kx = in_x.begin; kx < in_x.end; ++kx) {
        part(tap + kx, std::int64_t{1}, row + kx * width.dilation);
      }
    }
  }
}

}  // namespace pbatch
