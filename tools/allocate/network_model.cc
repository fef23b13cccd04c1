#include "tools/allocate/network_model.h"

#include <algorithm>
#include <cmath>

namespace pbatch {
namespace {

// Between what caches do to a table of costs and a busy machine.
constexpr double kLeastTimeScale = 0.25, kMostTimeScale = 4;
// Errors near that of all bits say little about the scale.
constexpr double kMostCorrection = 16;

template <class T>
T sum_of(const std::vector<LayerItem>& items, const Chosen& chosen, T LayerChoice::*field) {
  T sum = 0;
  for (std::size_t i = 0; i < items.size(); ++i) sum += items[i].choices[chosen[i]].*field;
  return sum;
}

}  // namespace

double ErrorModel::error(double sum) const { return std::sqrt(all_bits_squared + scale * sum); }

double ErrorModel::sum_at(double error) const { return (error * error - all_bits_squared) / scale; }

void ErrorModel::correct(double sum, double measured) {
  if (!(sum > 0) || !std::isfinite(measured)) return;
  const double wanted = (measured * measured - all_bits_squared) / sum;
  scale = std::clamp(wanted, scale / kMostCorrection, scale * kMostCorrection);
}

void TimeModel::fit(double sum_a, double us_a, double sum_b, double us_b) {
  scale = sum_b == sum_a ? 1 : (us_b - us_a) / (sum_b - sum_a);
  scale = std::clamp(scale, kLeastTimeScale, kMostTimeScale);
  fixed_us = std::max(0.0, (us_a + us_b - scale * (sum_a + sum_b)) / 2);
}

double sum_of_errors(const std::vector<LayerItem>& items, const Chosen& chosen) {
  return sum_of(items, chosen, &LayerChoice::squared_error);
}
double sum_of_times(const std::vector<LayerItem>& items, const Chosen& chosen) {
  return sum_of(items, chosen, &LayerChoice::us);
}
std::int64_t sum_of_bytes(const std::vector<LayerItem>& items, const Chosen& chosen) {
  return sum_of(items, chosen, &LayerChoice::bytes);
}

}  // namespace pbatch
