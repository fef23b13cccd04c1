// The axis of a chart: from values to pixels, and where to write numbers.
#pragma once

#include <string>
#include <vector>

namespace pbatch {

enum class Scale {
  linear,
  log,       ///< positive values only
  near_top,  ///< about linear within a tenth of the range below the greatest value, then
             ///< logarithmic
};

class Axis {
 public:
  /// Covers the values and a margin, from pixel `from` to pixel `to`.
  /// Precondition: values are finite, and not empty.
  Axis(Scale scale, const std::vector<double>& values, double from, double to);

  double pixel(double value) const;
  /// Round values whose pixels lie at least `apart` from each other, ascending.
  std::vector<double> ticks(double apart) const;

 private:
  double transform(double value) const;
  double inverse(double position) const;
  std::vector<double> candidates(int level) const;

  Scale scale_;
  double top_ = 0, bend_ = 1;  ///< near_top: the greatest value, a tenth of the range
  double low_, high_;          ///< ends, transformed
  double from_, to_;
};

}  // namespace pbatch
