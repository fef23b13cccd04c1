// How well one group of weights is told by one step.
#pragma once

#include <cstdint>

#include "layout/scheme.h"

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

/// Precondition: step > 0; every x finite.
StepStats measure_step(const float* x, std::int64_t count, float step, const Widths& widths);

}  // namespace pbatch
