#include "product/conv_geometry.h"

#include <algorithm>
#include <limits>
#include <string>

namespace pbatch {
namespace {

Result<std::vector<std::int64_t>> read_list(const Node& node, const char* name,
                                            std::int64_t least) {
  PBATCH_ASSIGN_OR_RETURN(const std::vector<std::int64_t> list, node.ints_attr(name, {}));
  for (const std::int64_t v : list) {
    if (v < least || v > std::numeric_limits<std::int32_t>::max()) {
      return Status(ErrorCode::unsupported,
                    "attribute " + std::string(name) + " holds " + std::to_string(v) +
                        ", which is out of range",
                    "export the network again");
    }
  }
  return list;
}

Result<AutoPad> read_auto_pad(const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const std::string name, node.string_attr("auto_pad", "NOTSET"));
  if (name == "NOTSET" || name.empty()) return AutoPad::notset;
  if (name == "SAME_UPPER") return AutoPad::same_upper;
  if (name == "SAME_LOWER") return AutoPad::same_lower;
  if (name == "VALID") return AutoPad::valid;
  return Status(ErrorCode::unsupported, "auto_pad '" + name + "' is not known",
                "use NOTSET, SAME_UPPER, SAME_LOWER or VALID");
}

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Out and pads so that out = ceil(in / stride).
void pad_same(ConvGeometry& g, std::size_t d, bool upper) {
  g.out[d] = ceil_div(g.in[d], g.strides[d]);
  const std::int64_t total =
      std::max<std::int64_t>(0, (g.out[d] - 1) * g.strides[d] + g.extent(d) - g.in[d]);
  g.pads_begin[d] = upper ? total / 2 : total - total / 2;
  g.pads_end[d] = total - g.pads_begin[d];
}

// Number of windows between explicit pads; at most 0 if none fits.
std::int64_t count_windows(const ConvGeometry& g, std::size_t d, bool ceil_mode) {
  const std::int64_t room = g.in[d] + g.pads_begin[d] + g.pads_end[d] - g.extent(d);
  if (room < 0) return 0;
  if (!ceil_mode) return room / g.strides[d] + 1;
  std::int64_t count = ceil_div(room, g.strides[d]) + 1;
  // A window that would start in the padding behind the input is left out.
  if ((count - 1) * g.strides[d] >= g.in[d] + g.pads_begin[d]) --count;
  return count;
}

Status wrong_length(const char* name, std::size_t length, const Shape& x) {
  return {ErrorCode::shape_mismatch,
          std::string(name) + " has " + std::to_string(length) +
              " numbers, which does not fit an input of shape " + shape_to_string(x),
          "feed the shape that the network was trained on"};
}

}  // namespace

Result<WindowAttributes> read_window_attributes(const Node& node) {
  WindowAttributes a;
  PBATCH_ASSIGN_OR_RETURN(a.kernel, read_list(node, "kernel_shape", 1));
  PBATCH_ASSIGN_OR_RETURN(a.strides, read_list(node, "strides", 1));
  PBATCH_ASSIGN_OR_RETURN(a.dilations, read_list(node, "dilations", 1));
  PBATCH_ASSIGN_OR_RETURN(a.pads, read_list(node, "pads", 0));
  PBATCH_ASSIGN_OR_RETURN(a.auto_pad, read_auto_pad(node));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t ceil_mode, node.int_attr("ceil_mode", 0));
  a.ceil_mode = ceil_mode != 0;
  return a;
}

std::int64_t ConvGeometry::positions() const {
  std::int64_t product = 1;
  for (const std::int64_t d : out) product *= d;
  return product;
}

std::int64_t ConvGeometry::kernel_size() const {
  std::int64_t product = 1;
  for (const std::int64_t d : kernel) product *= d;
  return product;
}

Shape ConvGeometry::output_shape(std::int64_t output_channels) const {
  Shape shape{batch, output_channels};
  shape.insert(shape.end(), out.begin(), out.end());
  return shape;
}

Result<ConvGeometry> make_geometry(const WindowAttributes& attributes, const Shape& x,
                                   const std::vector<std::int64_t>& kernel) {
  const std::size_t rank = kernel.size();
  if (rank == 0 || x.size() != rank + 2) return wrong_length("the kernel", rank, x);
  if (!attributes.kernel.empty() && attributes.kernel != kernel) {
    return Status(ErrorCode::shape_mismatch,
                  "attribute kernel_shape is " + shape_to_string(attributes.kernel) +
                      ", but the weights have a kernel of " + shape_to_string(kernel),
                  "export the network again");
  }
  ConvGeometry g;
  g.batch = x[0];
  g.channels = x[1];
  g.in.assign(x.begin() + 2, x.end());
  g.kernel = kernel;
  g.strides = attributes.strides.empty() ? Shape(rank, 1) : attributes.strides;
  g.dilations = attributes.dilations.empty() ? Shape(rank, 1) : attributes.dilations;
  if (g.strides.size() != rank) return wrong_length("attribute strides", g.strides.size(), x);
  if (g.dilations.size() != rank) return wrong_length("attribute dilations", g.dilations.size(), x);
  g.pads_begin.assign(rank, 0);
  g.pads_end.assign(rank, 0);
  g.out.assign(rank, 0);
  if (attributes.auto_pad == AutoPad::notset && !attributes.pads.empty()) {
    if (attributes.pads.size() != 2 * rank) {
      return wrong_length("attribute pads", attributes.pads.size(), x);
    }
    const auto middle = attributes.pads.begin() + static_cast<std::ptrdiff_t>(rank);
    g.pads_begin.assign(attributes.pads.begin(), middle);
    g.pads_end.assign(middle, attributes.pads.end());
  }
  const bool same =
      attributes.auto_pad == AutoPad::same_upper || attributes.auto_pad == AutoPad::same_lower;
  for (std::size_t d = 0; d < rank; ++d) {
    if (g.in[d] > std::numeric_limits<std::int32_t>::max()) {
      return Status(ErrorCode::unsupported,
                    "an input of shape " + shape_to_string(x) + " is too large to slide over",
                    "split the input");
    }
    if (same) {
      pad_same(g, d, attributes.auto_pad == AutoPad::same_upper);
    } else {
      g.out[d] = count_windows(g, d, attributes.ceil_mode);
    }
    if (g.out[d] <= 0) {
      return Status(ErrorCode::shape_mismatch,
                    "a window that spans " + std::to_string(g.extent(d)) +
                        " elements does not fit dimension " + std::to_string(d + 2) +
                        " of an input of shape " + shape_to_string(x),
                    "feed a larger input");
    }
  }
  return g;
}

Taps taps_inside(std::int64_t start, std::int64_t in, std::int64_t kernel, std::int64_t dilation) {
  const auto first_at_least = [&](std::int64_t index) {
    const std::int64_t distance = index - start;
    return distance <= 0 ? 0 : (distance + dilation - 1) / dilation;
  };
  const std::int64_t begin = std::min(first_at_least(0), kernel);
  return {begin, std::clamp(first_at_least(in), begin, kernel)};
}

}  // namespace pbatch
