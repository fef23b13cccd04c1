// What the codes of a value mean.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace pbatch {

/// Real numbers that a value may have.
struct Interval {
  double lo = 0, hi = 0;
  double magnitude() const { return std::max(std::fabs(lo), std::fabs(hi)); }
  friend bool operator==(const Interval&, const Interval&) = default;
};

/// value = code * scale, lo <= code <= hi. scale 0: indices, which are no numbers.
struct IntegerFormat {
  double scale = 0;
  std::int32_t lo = 0, hi = 0;

  bool is_index() const { return scale == 0; }
  double magnitude() const { return std::max(std::fabs(double(lo)), std::fabs(double(hi))); }
  Interval interval() const { return {lo * scale, hi * scale}; }
  friend bool operator==(const IntegerFormat&, const IntegerFormat&) = default;

  /// 8 bits: 0 .. 255 for what is never negative, else -127 .. 127; 16: -32767 .. 32767.
  /// 32: 30 bits, which nothing multiplies; for results of a network.
  static IntegerFormat of(const Interval& range, int bits) {
    const double most = std::max(range.magnitude(), 1e-30);
    if (bits == 8 && range.lo >= 0) return {most / 255, 0, 255};
    const std::int32_t top = bits == 8 ? 127 : bits == 16 ? 32767 : (1 << 30);
    return {most / top, range.lo >= 0 ? 0 : -top, top};
  }
  /// What enters gates, states of recurrent layers, and their cell states.
  static IntegerFormat gate() { return {std::ldexp(1.0, -20), -(1 << 30), 1 << 30}; }
  static IntegerFormat state() { return {std::ldexp(1.0, -15), -32767, 32767}; }
  static IntegerFormat cell() { return gate(); }
};

}  // namespace pbatch
