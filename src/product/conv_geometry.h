// Sliding windows: the attributes of Conv and the pools, and what they mean for one input.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.h"
#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

enum class AutoPad { notset, same_upper, same_lower, valid };

/// As the node has them; an empty list stands for the default. All numbers are
/// in range: kernel, strides and dilations from 1, pads from 0, all below 2^31.
struct WindowAttributes {
  std::vector<std::int64_t> kernel, strides, dilations;
  std::vector<std::int64_t> pads;  ///< all begins, then all ends
  AutoPad auto_pad = AutoPad::notset;
  bool ceil_mode = false;  ///< of pools: a last window may hang over the end
};

/// Reads kernel_shape, strides, dilations, pads, auto_pad and ceil_mode.
Result<WindowAttributes> read_window_attributes(const Node& node);

/// Windows over one input [batch, channels, spatial...]. All lists have one
/// entry per spatial dimension.
struct ConvGeometry {
  std::int64_t batch = 0, channels = 0;
  std::vector<std::int64_t> in, kernel, strides, dilations;
  std::vector<std::int64_t> pads_begin;
  std::vector<std::int64_t> pads_end;  ///< as asked for; with ceil_mode a window may reach beyond
  std::vector<std::int64_t> out;

  std::size_t spatial_rank() const { return in.size(); }
  /// Windows per image: the product of `out`.
  std::int64_t positions() const;
  /// Elements of one window in one channel.
  std::int64_t kernel_size() const;
  /// Elements that a window spans in dimension d, gaps included.
  std::int64_t extent(std::size_t d) const { return (kernel[d] - 1) * dilations[d] + 1; }
  /// [batch, channels, out...].
  Shape output_shape(std::int64_t output_channels) const;

  friend bool operator==(const ConvGeometry&, const ConvGeometry&) = default;
};

/// The geometry for an input of shape `x`; `kernel` has one number per spatial
/// dimension (of Conv: from its weights; of a pool: from the attribute).
/// shape_mismatch if ranks differ or no window fits.
Result<ConvGeometry> make_geometry(const WindowAttributes& attributes, const Shape& x,
                                   const std::vector<std::int64_t>& kernel);

/// Elements [begin, end) of a window that fall on [0, in); empty if none does.
struct Taps {
  std::int64_t begin = 0, end = 0;
};

/// For a window of `kernel` elements, `dilation` apart, the first at `start`.
Taps taps_inside(std::int64_t start, std::int64_t in, std::int64_t kernel, std::int64_t dilation);

}  // namespace pbatch
