// One code for several widths, each with a target of its own.
#pragma once

#include <array>
#include <cstdint>

#include "layout/scheme.h"

namespace pbatch {

/// The most planes that error compensation looks at; further ones refine what these leave.
inline constexpr int kTreePlanes = 8;

/// The widths that a compensated code of `planes` planes serves, ascending.
struct TreeWidths {
  explicit TreeWidths(int planes);
  int count = 0;
  std::array<int, kTreePlanes> width{};
  int top() const { return width[static_cast<std::size_t>(count) - 1]; }
};

/// What an error at width n counts relative to what the plain code leaves there. One rule for all
/// networks: most for 4 bits, the width that most runs use and where compensation gains most.
double importance_of_width(int width);

/// Chooses codes. Immutable, thread-safe.
class WidthTree {
 public:
  /// weight[i]: what a squared error at widths.width[i] counts, >= 0.
  WidthTree(const TreeWidths& widths, const double* weight);

  /// The code u of top() bits that makes the sum over widths n of
  /// weight_n (target_n - half_step_n (2 (u >> (top - n)) - (2^n - 1)))^2 least, in float32: the
  /// terms of one code are added from the widest on. The same on every machine.
  int choose(const float* target, const float* half_step) const;

 private:
  TreeWidths widths_;
  std::array<float, kTreePlanes> weight_{};
};

/// 2 (u >> (top - n)) - (2^n - 1): the value of a code at width n, in half steps.
inline std::int32_t level_of(int code, int top, int n) {
  return level_of_code(code >> (top - n), n);
}

}  // namespace pbatch
