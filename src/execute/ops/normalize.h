// What the operators that normalize over part of their own input share.
#pragma once

#include <cmath>
#include <cstdint>

namespace pbatch {

struct Moments {
  float mean = 0.0F;
  float inverse_deviation = 0.0F;  ///< 1 / sqrt(variance + epsilon)
};

/// Of x[0 .. count - 1]; summed in double, in two passes. Precondition: count > 0.
inline Moments moments_of(const float* x, std::int64_t count, float epsilon) {
  double sum = 0.0;
  for (std::int64_t i = 0; i < count; ++i) sum += static_cast<double>(x[i]);
  const double mean = sum / static_cast<double>(count);
  double squares = 0.0;
  for (std::int64_t i = 0; i < count; ++i) {
    const double d = static_cast<double>(x[i]) - mean;
    squares += d * d;
  }
  const double variance = squares / static_cast<double>(count);
  return {static_cast<float>(mean),
          static_cast<float>(1.0 / std::sqrt(variance + static_cast<double>(epsilon)))};
}

}  // namespace pbatch
