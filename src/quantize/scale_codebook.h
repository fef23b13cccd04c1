// The codebook that lets one byte per group hold the scales of all widths.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "quantize/group_fit.h"

namespace pbatch {

/// A code is level * kShapes + shape. The level is the step, an integer from a
/// ladder fitted to the matrix; the shape says how the best scales of 1 to 4
/// bits relate to the step, which depends on how the group's weights are spread.
inline constexpr int kLevels = 32;   ///< level 0 is the step 0, for groups of zeros
inline constexpr int kShapes = 8;

/// What one group wants: its level and the best narrow scales over the step.
struct GroupWish {
  int level = 0;
  std::array<float, kNarrowWidths> ratio{};
};

struct ScaleCodebook {
  int planes = 0;
  std::array<std::uint8_t, kLevels> step{};
  std::array<std::array<std::array<std::uint8_t, kShapes>, kLevels>, kNarrowWidths> narrow{};

  /// Rows of BitMatrix::codebook: the narrow widths, then the step.
  int widths() const { return planes > kNarrowWidths ? kNarrowWidths + 1 : planes; }
  /// q of a width, level and shape.
  float scale(int n, int level, int shape) const {
    const auto l = static_cast<std::size_t>(level), s = static_cast<std::size_t>(shape);
    return n <= kNarrowWidths ? narrow[static_cast<std::size_t>(n - 1)][l][s] : step[l];
  }
  /// [widths()][256], as BitMatrix::codebook.
  std::vector<std::uint8_t> table() const;
};

/// A ladder of steps, geometric from the small groups' largest weight to 255.
/// `peaks`: the largest weight of each group in units of its row scale, 0 .. 255.
ScaleCodebook make_ladder(std::span<const float> peaks, int planes);

/// Fills in the narrow scales: per level, the wishes are gathered into kShapes
/// clusters (k-means from quantiles, so deterministic).
void learn_shapes(ScaleCodebook& book, std::span<const GroupWish> wishes);

}  // namespace pbatch
