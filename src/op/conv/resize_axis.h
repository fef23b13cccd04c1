// Resize along one axis: which inputs an output is made of, and with which weights.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "pbatch/status.h"

namespace pbatch {

/// The attributes of Resize that say where an output lies and what it is made of.
struct ResizeRule {
  enum class Mode { nearest, linear, cubic };
  enum class Coordinates {
    half_pixel,
    half_pixel_symmetric,
    pytorch_half_pixel,
    align_corners,
    asymmetric,
    tf_crop_and_resize,
    tf_half_pixel_for_nn
  };
  enum class Nearest { round_prefer_floor, round_prefer_ceil, floor, ceil };

  Mode mode = Mode::nearest;
  Coordinates coordinates = Coordinates::half_pixel;
  Nearest nearest = Nearest::round_prefer_floor;
  float cubic_coeff_a = -0.75F;
  bool exclude_outside = false, antialias = false;
};

/// Reads mode, coordinate_transformation_mode, nearest_mode and the rest. Before opset 11
/// coordinates are asymmetric and the nearest input is the one below.
Result<ResizeRule> read_resize_rule(const Node& node);

/// One axis of a Resize; `begin` and `end` are its region of interest.
struct ResizeAxis {
  std::int64_t in = 0, out = 0;
  float scale = 1.0F, begin = 0.0F, end = 1.0F;
};

/// Output o is the sum of weights[o * taps + k] times input indices[o * taps + k].
struct ResizeTable {
  std::int64_t taps = 1;
  std::vector<std::int64_t> indices;
  std::vector<float> weights;
  std::vector<bool> outside;  ///< outputs beyond the input, of tf_crop_and_resize; else empty
};

/// Precondition: in and out are at least 1, scale is positive.
ResizeTable make_resize_table(const ResizeRule& rule, const ResizeAxis& axis);

}  // namespace pbatch
