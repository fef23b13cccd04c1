// What the operators that normalize over part of their own input share.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernel/vector_fns.h"

namespace pbatch {

struct Moments {
  float mean = 0.0F;
  float inverse_deviation = 0.0F;  ///< 1 / sqrt(variance + epsilon)
};

/// Of x[0 .. count - 1]; summed in double, in two passes. Precondition: count > 0.
inline Moments moments_of(const float* x, std::int64_t count, float epsilon) {
  const VectorFns& fns = vector_fns();
  const double mean = fns.sum(count, x) / static_cast<double>(count);
  const double variance = fns.squares(count, x, mean) / static_cast<double>(count);
  return {static_cast<float>(mean),
          static_cast<float>(1.0 / std::sqrt(variance + static_cast<double>(epsilon)))};
}

}  // namespace pbatch
