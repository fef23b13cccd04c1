// How well one group of weights is told by one step.
#pragma once

#include <cstdint>

namespace pbatch {

/// Up to this width the best scale differs from the step enough to be stored.
inline constexpr int kNarrowWidths = 3;

/// The widths that the choice of a step looks at.
struct Widths {
  explicit Widths(int planes);
  int planes;
  int narrow;      ///< widths 1 .. narrow have a scale of their own
  int wide_count;  ///< wider ones, which use the step itself: a few of them speak for all
  int wide[4];
  /// The least share of a group's greatest magnitude that a step may be. Clipping
  /// pays while noise is large; with more planes it would cost the wide widths.
  float smallest_step() const { return wide_count == 0 ? 0.5f : 1; }
  int codebook_rows() const { return narrow + (wide_count > 0 ? 1 : 0); }
};

/// Per width, with b = (2u - (2^n - 1)) / 2^n: narrow ones the sums of b * b and
/// of x * b, from which the noise of any scale q follows as
/// sum x * x - 2 q * xb + q * q * bb; wide ones the noise at q = step.
struct StepStats {
  float bb[kNarrowWidths];
  float xb[kNarrowWidths];
  float noise[4];
};

/// The code of `x` under `step`, 0 .. 2^planes - 1; beyond the step it saturates.
class Encoder {
 public:
  Encoder(int planes, float step)
      : half_(static_cast<float>(1 << (planes - 1))), top_(2 * half_ - 1), gain_(half_ / step) {}
  std::int32_t operator()(float x) const {
    const float t = x * gain_ + half_;
    const float low = t > 0 ? t : 0;
    return static_cast<std::int32_t>(low < top_ ? low : top_);
  }

 private:
  float half_, top_, gain_;
};

/// Precondition: step > 0; every x finite.
StepStats measure_step(const float* x, std::int64_t count, float step, const Widths& widths);

}  // namespace pbatch
