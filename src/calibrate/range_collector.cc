#include "calibrate/range_collector.h"

#include <algorithm>
#include <cmath>

namespace pbatch {

void RangeCollector::observe(const BitMatrix& matrix, std::int64_t, std::int64_t, const float* x,
                             std::int64_t count, std::int64_t ld) {
  Seen& seen = seen_[&matrix];
  for (std::int64_t v = 0; v < count; ++v) {
    for (std::int64_t c = 0; c < matrix.cols; ++c) {
      const float number = x[v * ld + c];
      if (!std::isfinite(number)) continue;
      if (seen.count == 0) seen.least = seen.greatest = number;
      seen.least = std::min(seen.least, number);
      seen.greatest = std::max(seen.greatest, number);
      ++seen.count;
      if (number == 0) continue;
      const double at = (std::log2(std::fabs(static_cast<double>(number))) + 32) * kPerOctave;
      ++seen.bins[static_cast<std::size_t>(std::clamp(at, 0.0, kBins - 1.0))];
    }
  }
}

// Rounding costs step^2 / 12 for every number, the limit the square of what is beyond it.
float RangeCollector::limit_of(const Seen& seen) {
  const double most = std::max(std::fabs(static_cast<double>(seen.least)),
                               std::fabs(static_cast<double>(seen.greatest)));
  const double codes = seen.least >= 0 ? 255 : 127;
  double best = most, least_error = most * most / (codes * codes) / 12 * seen.count;
  for (int top = kBins - 1; top > 0; --top) {
    const double limit = std::exp2(static_cast<double>(top) / kPerOctave - 32);
    if (limit >= most) continue;
    double error = limit * limit / (codes * codes) / 12 * seen.count;
    for (int b = top; b < kBins; ++b) {
      const double middle = std::exp2((b + 0.5) / kPerOctave - 32);
      error += seen.bins[static_cast<std::size_t>(b)] * (middle - limit) * (middle - limit);
    }
    if (error < least_error) {
      least_error = error;
      best = limit;
    }
  }
  return static_cast<float>(best);
}

float RangeCollector::octaves_of(const Seen& seen) {
  double sum = 0, count = 0;
  for (int b = 0; b < kBins; ++b) {
    const double found = seen.bins[static_cast<std::size_t>(b)];
    sum += found * ((b + 0.5) / kPerOctave - 32);
    count += found;
  }
  if (count == 0) return 0;
  const double most = std::max(std::fabs(static_cast<double>(seen.least)),
                               std::fabs(static_cast<double>(seen.greatest)));
  return static_cast<float>(std::max(std::log2(most) - sum / count, 1.0 / kPerOctave));
}

std::optional<SeenRange> RangeCollector::range_of(const BitMatrix& matrix) const {
  const auto found = seen_.find(&matrix);
  if (found == seen_.end() || found->second.count == 0) return std::nullopt;
  const Seen& seen = found->second;
  return SeenRange{seen.least, seen.greatest, limit_of(seen), octaves_of(seen)};
}

}  // namespace pbatch
