#include "execute/max_windows.h"

#include <array>
#include <cmath>
#include <cstdint>

namespace pbatch {
namespace {

// One dimension of the windows; those that the geometry lacks are of one element.
struct Axis {
  std::int64_t in = 1, out = 1, kernel = 1, stride = 1, dilation = 1, pad = 0;

  std::int64_t start(std::int64_t position) const { return position * stride - pad; }
  Taps taps(std::int64_t position) const {
    return taps_inside(start(position), in, kernel, dilation);
  }
};

using Axes = std::array<Axis, 3>;

Axes axes_of(const ConvGeometry& g) {
  Axes axes;
  const std::size_t missing = axes.size() - g.spatial_rank();
  for (std::size_t d = 0; d < g.spatial_rank(); ++d) {
    axes[missing + d] = {g.in[d],      g.out[d],       g.kernel[d],
                         g.strides[d], g.dilations[d], g.pads_begin[d]};
  }
  return axes;
}

float greater(float a, float b) { return std::isnan(a) || a >= b ? a : b; }

// The greatest element of the window at (p0, p1, p2) of one image.
float max_of_window(const Axes& axes, const std::array<std::int64_t, 3>& p, const float* image) {
  const std::array<Taps, 3> taps{axes[0].taps(p[0]), axes[1].taps(p[1]), axes[2].taps(p[2])};
  const auto at = [&](std::size_t d, std::int64_t tap) {
    return axes[d].start(p[d]) + tap * axes[d].dilation;
  };
  float most = -INFINITY;
  for (std::int64_t i = taps[0].begin; i < taps[0].end; ++i) {
    for (std::int64_t j = taps[1].begin; j < taps[1].end; ++j) {
      const float* const row = image + (at(0, i) * axes[1].in + at(1, j)) * axes[2].in;
      for (std::int64_t k = taps[2].begin; k < taps[2].end; ++k) {
        most = greater(most, row[at(2, k)]);
      }
    }
  }
  return most;
}

}  // namespace

bool needs_max_windows(std::span<const float> x) {
  bool all_above = true;
  for (const float v : x) all_above &= v > -INFINITY;  // no branch: compilers use vectors
  return !all_above;
}

void max_windows(const ConvGeometry& geometry, const float* x, float* y) {
  const Axes axes = axes_of(geometry);
  const std::int64_t image = axes[0].in * axes[1].in * axes[2].in;
  for (std::int64_t n = 0; n < geometry.batch * geometry.channels; ++n) {
    for (std::int64_t i = 0; i < axes[0].out; ++i) {
      for (std::int64_t j = 0; j < axes[1].out; ++j) {
        for (std::int64_t k = 0; k < axes[2].out; ++k) {
          *y++ = max_of_window(axes, {i, j, k}, x + n * image);
        }
      }
    }
  }
}

}  // namespace pbatch
