// sigmoid and tanh of a float, by operations that are the same on every ISA and on GPUs. Loops
// around them are what compilers vectorize. All in an unnamed namespace: see
// docs/kernels.md.
#pragma once

#include <stdint.h>
#include <string.h>

#include "kernel/cells.h"
#include "layout/hd.h"

namespace pbatch {
namespace {

PBATCH_HD inline float float_of_bits(int32_t bits) {
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}
PBATCH_HD inline int32_t bits_of_float(float f) {
  int32_t bits;
  memcpy(&bits, &f, sizeof bits);
  return bits;
}

PBATCH_HD inline float limited(float x, float limit) {
  x = x > limit ? limit : x;
  return x < -limit ? -limit : x;  // NaN passes
}

/// Powers of two that floats cannot hold are made of two that they can.
struct PowerOfTwo {
  float first, second;
};
PBATCH_HD inline PowerOfTwo power_of_two(int32_t n) {
  const int32_t half = n >> 1;
  return {float_of_bits((half + 127) << 23), float_of_bits((n - half + 127) << 23)};
}

/// x = n ln 2 + r, |r| <= ln(2) / 2.
struct ReducedExponent {
  float r;
  int32_t n;
};
PBATCH_HD inline ReducedExponent reduce_exponent(float x) {
  const float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  const float shifted = x * 1.44269504f + kRound;
  const float n = shifted - kRound;
  return {(x - n * 0.693145752f) - n * 1.42860677e-6f,
          bits_of_float(shifted) - bits_of_float(kRound)};
}

/// (e^r - 1 - r) / r^2 for |r| <= ln(2) / 2: the series up to r^7.
PBATCH_HD inline float exp_series(float r) {
  float p = 1.98412698e-4f;
  p = p * r + 1.38888889e-3f;
  p = p * r + 8.33333333e-3f;
  p = p * r + 4.16666667e-2f;
  p = p * r + 1.66666667e-1f;
  return p * r + 0.5f;
}

/// e^x for -104.5 <= x <= 89, relative error below 1e-7.
PBATCH_HD inline float exp_lane(float x) {
  const ReducedExponent e = reduce_exponent(x);
  const PowerOfTwo power = power_of_two(e.n);
  return ((exp_series(e.r) * e.r + 1.0f) * e.r + 1.0f) * power.first * power.second;
}

PBATCH_HD inline float sigmoid_lane(float x) {
  return 1.0f / (1.0f + exp_lane(limited(-x, 88.0f)));
}

// Near 0 the odd series, fitted to tanh on 0 .. 0.625 with a relative error of 2e-8; else by e^2x.
PBATCH_HD inline float tanh_lane(float x) {
  const float magnitude = float_of_bits(bits_of_float(x) & 0x7fffffff);
  const float t = x * x;
  float p = -6.10494614e-3f;
  p = p * t + 2.10036412e-2f;
  p = p * t - 5.38524985e-2f;
  p = p * t + 1.33327812e-1f;
  p = p * t - 3.33333284e-1f;
  const float near = x + x * t * p;
  const float e = exp_lane(limited(-2.0f * magnitude, 88.0f));
  const float far = (1.0f - e) / (1.0f + e);
  const float signed_far = x < 0.0f ? -far : far;
  return magnitude < 0.625f ? near : signed_far;
}

}  // namespace
}  // namespace pbatch
