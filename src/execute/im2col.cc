#include "execute/im2col.h"

#include <algorithm>
#include <array>

namespace pbatch {
namespace {

// One dimension of a geometry; dimensions that it lacks have one element.
struct ImageAxis {
  std::int64_t in = 1, out = 1, kernel = 1, stride = 1, dilation = 1, pad = 0;
};

Taps taps_at(const ImageAxis& axis, std::int64_t start) {
  return taps_inside(start, axis.in, axis.kernel, axis.dilation);
}

std::array<ImageAxis, 3> image_axes(const ConvGeometry& g) {
  std::array<ImageAxis, 3> axes;
  const std::size_t rank = g.spatial_rank();
  for (std::size_t d = 0; d < rank; ++d) {
    axes[3 - rank + d] = {g.in[d],      g.out[d],       g.kernel[d],
                          g.strides[d], g.dilations[d], g.pads_begin[d]};
  }
  return axes;
}

// One row of the kernel: x points at the row of the input.
void copy_image_row(const ImageAxis& axis, const Taps& in, std::int64_t start, const float* x,
                    float* to) {
  std::fill_n(to, in.begin, 0.0F);
  if (axis.dilation == 1) {
    std::copy_n(x + (start + in.begin), in.end - in.begin, to + in.begin);
  } else {
    for (std::int64_t k = in.begin; k < in.end; ++k) to[k] = x[start + k * axis.dilation];
  }
  std::fill_n(to + in.end, axis.kernel - in.end, 0.0F);
}

}  // namespace

void im2col(const ConvGeometry& geometry, const float* x, std::int64_t channels, std::int64_t begin,
            std::int64_t end, float* columns) {
  const auto [depth, height, width] = image_axes(geometry);
  const std::int64_t image = depth.in * height.in * width.in;
  for (std::int64_t p = begin; p < end; ++p) {
    const std::int64_t z = p / (height.out * width.out) * depth.stride - depth.pad;
    const std::int64_t y = p / width.out % height.out * height.stride - height.pad;
    const std::int64_t w = p % width.out * width.stride - width.pad;
    const Taps in_z = taps_at(depth, z), in_y = taps_at(height, y), in_w = taps_at(width, w);
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t kz = 0; kz < depth.kernel; ++kz) {
        for (std::int64_t ky = 0; ky < height.kernel; ++ky, columns += width.kernel) {
          const bool on_input =
              kz >= in_z.begin && kz < in_z.end && ky >= in_y.begin && ky < in_y.end;
          if (!on_input || in_w.begin == in_w.end) {
            std::fill_n(columns, width.kernel, 0.0F);
            continue;
          }
          const std::int64_t row = (z + kz * depth.dilation) * height.in + y + ky * height.dilation;
          copy_image_row(width, in_w, w, x + c * image + row * width.in, columns);
        }
      }
    }
  }
}

void im2col_channels_last(const ConvGeometry& geometry, const float* x, std::int64_t begin,
                          std::int64_t end, float* columns) {
  const auto [depth, height, width] = image_axes(geometry);
  const std::int64_t channels = geometry.channels;
  const std::int64_t taps = depth.kernel * height.kernel * width.kernel;
  for (std::int64_t p = begin; p < end; ++p, columns += channels * taps) {
    const std::int64_t z = p / (height.out * width.out) * depth.stride - depth.pad;
    const std::int64_t y = p / width.out % height.out * height.stride - height.pad;
    const std::int64_t w = p % width.out * width.stride - width.pad;
    const Taps in_z = taps_at(depth, z), in_y = taps_at(height, y), in_w = taps_at(width, w);
    float* to = columns;
    for (std::int64_t kz = 0; kz < depth.kernel; ++kz) {
      for (std::int64_t ky = 0; ky < height.kernel; ++ky) {
        const bool row_on_input =
            kz >= in_z.begin && kz < in_z.end && ky >= in_y.begin && ky < in_y.end;
        const std::int64_t row = (z + kz * depth.dilation) * height.in + y + ky * height.dilation;
        for (std::int64_t kw = 0; kw < width.kernel; ++kw, ++to) {
          const bool on_input = row_on_input && kw >= in_w.begin && kw < in_w.end;
          const float* const from =
              x + (row * width.in + w + kw * width.dilation) * (on_input ? channels : 0);
          for (std::int64_t c = 0; c < channels; ++c) to[c * taps] = on_input ? from[c] : 0.0F;
        }
      }
    }
  }
}

}  // namespace pbatch
