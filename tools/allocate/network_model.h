// Sums over layers that stand for a network's error, time and bytes.
#pragma once

#include <cstdint>
#include <vector>

#include "tools/allocate/layer_items.h"

namespace pbatch {

/// An index into LayerItem::choices for each item.
using Chosen = std::vector<std::size_t>;

/// Errors: square of the whole = that of all bits + scale * sum of the layers' squares.
struct ErrorModel {
  double all_bits_squared = 0;  ///< of the network as floats of all its bits, against float
  double scale = 1;

  double error(double sum) const;
  /// The sum at which the error is `error`; negative if all bits are farther away.
  double sum_at(double error) const;
  /// Takes the scale from a measurement.
  void correct(double sum, double measured);
};

/// Times: of a run = fixed + scale * sum of the layers' predictions.
struct TimeModel {
  double fixed_us = 0, scale = 1;

  double us(double sum) const { return fixed_us + scale * sum; }
  double sum_at(double us) const { return (us - fixed_us) / scale; }
  /// Through two measurements, so far as fixed_us >= 0 and the scale is believable.
  void fit(double sum_a, double us_a, double sum_b, double us_b);
  /// Takes fixed_us from a measurement.
  void correct(double sum, double measured) { fixed_us += measured - us(sum); }
};

double sum_of_errors(const std::vector<LayerItem>& items, const Chosen& chosen);
double sum_of_times(const std::vector<LayerItem>& items, const Chosen& chosen);
std::int64_t sum_of_bytes(const std::vector<LayerItem>& items, const Chosen& chosen);

}  // namespace pbatch
