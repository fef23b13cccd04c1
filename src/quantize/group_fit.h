// How well one step codes one group of weights, at every width.
#pragma once

#include <cstdint>

namespace pbatch {

/// Widths whose scale is fitted on its own; from kNarrowWidths + 1 bits on, the
/// step that the codes were made with is the best scale.
inline constexpr int kNarrowWidths = 4;

/// A group of weights in units of its row scale, and the sums that give the
/// error of any scale without another pass.
struct GroupFit {
  float energy = 0;                 ///< sum of w^2
  float cross[kNarrowWidths] = {};  ///< sum of w c, c = 2 u - (2^n - 1), for n = 1 ..
  float power[kNarrowWidths] = {};  ///< sum of c^2
  float wide_cost = 0;              ///< weighted relative errors of the wider widths

  /// The scale (in units of 2^-n row scales) of least error at width n.
  float best_scale(int n) const;
  /// Relative error at width n of scale q: |w - q 2^-n c|^2 / (energy * that of a Gaussian).
  float narrow_cost(int n, float q) const;
};

/// The codes u (0 .. 2^planes - 1) of `count` weights for integer step q: cells
/// of width q * 2^(1 - planes), clamped at the ends.
void encode_group(const float* w, std::int64_t count, float q, int planes, std::int32_t* u);

/// Encodes with step q (into the scratch `u`) and measures. Precondition: q > 0.
GroupFit fit_group(const float* w, std::int64_t count, float q, int planes, std::int32_t* u);

}  // namespace pbatch
