// The scheme of the codes: how a weight becomes a number, and what the number means. What encodes,
// decodes or measures codes takes it from here; kernels compute the same with integers
// (docs/bit-layers.md).
//
// "mid-rise": a weight w under a step s, the greatest magnitude that its group should hold, has
// with p planes the code
//   u = floor((w / s + 1) * 2^(p-1)), limited to 0 .. 2^p - 1;
// the first n planes spell u >> (p - n), the code of n planes, whose value is
//   half_step * level, half_step = row_scale * q * 2^-n, level = 2 u - (2^n - 1).
#pragma once

#include <stdint.h>

#include "layout/hd.h"

namespace pbatch {

/// As model files name it (docs/model-file.md).
static constexpr const char* kSchemeName = "mid-rise";

/// The value of a code of n planes in half steps.
PBATCH_HD static inline int32_t level_of_code(int32_t code, int n) {
  return 2 * code - ((int32_t{1} << n) - 1);
}

/// Half the distance of neighbouring values; exact. `q`: the group's scale at this width.
PBATCH_HD static inline double half_step_of(float row_scale, int q, int n) {
  return static_cast<double>(row_scale) *
         (static_cast<double>(q) / static_cast<double>(int32_t{1} << n));
}

/// The weight that a code stands for: exact but for the rounding to float.
PBATCH_HD static inline float value_of_code(double half_step, int32_t code, int n) {
  return static_cast<float>(half_step * static_cast<double>(level_of_code(code, n)));
}

/// The code of `x` under `step` > 0; beyond the step it saturates.
class Encoder {
 public:
  Encoder(int planes, float step)
      : half_(static_cast<float>(1 << (planes - 1))), top_(2 * half_ - 1), gain_(half_ / step) {}
  int32_t operator()(float x) const {
    const float t = x * gain_ + half_;
    const float low = t > 0 ? t : 0;
    return static_cast<int32_t>(low < top_ ? low : top_);
  }

 private:
  float half_, top_, gain_;
};

}  // namespace pbatch
