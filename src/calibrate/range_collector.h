// What the inputs of products can be, as seen while the network runs: scales of integer arithmetic.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>

#include "product/input_observer.h"

namespace pbatch {

/// Least and greatest number of a product's inputs, and the magnitude at which codes of 8 bits are
/// limited so that the sum of the squares of their errors is least.
struct SeenRange {
  float least = 0, greatest = 0, limit8 = 0;
  float octaves = 0;  ///< from the mean of the logarithms to the greatest magnitude; 0: all zeros
};

class RangeCollector final : public InputObserver {
 public:
  void observe(const BitMatrix& matrix, std::int64_t row_begin, std::int64_t row_end,
               const float* x, std::int64_t count, std::int64_t ld) override;

  /// None if no vector was seen.
  std::optional<SeenRange> range_of(const BitMatrix& matrix) const;

 private:
  // Magnitudes by binary logarithm, eight bins to an octave from 2^-32 to 2^32.
  static constexpr int kPerOctave = 8, kBins = 64 * kPerOctave;
  struct Seen {
    float least = 0, greatest = 0;
    double count = 0;
    std::array<double, kBins> bins{};
  };
  static float limit_of(const Seen& seen);
  static float octaves_of(const Seen& seen);

  std::map<const BitMatrix*, Seen> seen_;
};

}  // namespace pbatch
