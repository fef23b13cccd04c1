#include "product/conv_windows.h"

namespace pbatch {

ConvWindows::ConvWindows(const ConvGeometry& g) {
  const std::size_t rank = g.spatial_rank();
  for (std::size_t d = 0; d < rank; ++d) {
    Axis& axis = axes_[3 - rank + d];
    axis.in = g.in[d];
    axis.out = g.out[d];
    axis.kernel = g.kernel[d];
    axis.stride = g.strides[d];
    axis.dilation = g.dilations[d];
    axis.pad = g.pads_begin[d];
  }
  for (Axis& axis : axes_) {
    for (std::int64_t i = 0; i < axis.out; ++i) {
      axis.taps.push_back(taps_inside(axis.start(i), axis.in, axis.kernel, axis.dilation));
    }
  }
}

}  // namespace pbatch
