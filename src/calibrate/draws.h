// Pseudo-random numbers that are the same on every machine.
#pragma once

#include <cstdint>

namespace pbatch {

/// splitmix64 (Steele et al. 2014); only integer operations and exact sums of doubles.
class Draws {
 public:
  explicit Draws(std::uint64_t seed)
      : state_(seed * 0x9e3779b97f4a7c15ULL + 0x632be59bd9b4e019ULL) {}

  std::uint64_t bits() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  /// 0 <= x < 1.
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  /// 0 .. count - 1.
  std::int64_t below(std::int64_t count) {
    return static_cast<std::int64_t>(uniform() * static_cast<double>(count));
  }
  /// Mean 0 and variance 1; nearly normal: the sum of twelve uniform numbers.
  double normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += uniform();
    return sum;
  }

 private:
  std::uint64_t state_;
};

}  // namespace pbatch
