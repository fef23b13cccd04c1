// Elementary functions of one float by operations that are the same on every ISA, for all of its
// range; cell_math.h has those of the recurrent cells, which need not care for infinities.
// All in an unnamed namespace: see docs/kernels.md.
#pragma once

#include "kernel/cell_math.h"

namespace pbatch {
namespace {

/// Between e^-104.5, which is 0 for a float, and e^89, which is infinite.
PBATCH_HD inline float in_range_of_exp(float x) {
  x = x > 89.0f ? 89.0f : x;
  return x < -104.5f ? -104.5f : x;  // NaN passes
}

PBATCH_HD inline float exp_of(float x) { return exp_lane(in_range_of_exp(x)); }

/// e^x - 1 for x <= 0.
PBATCH_HD inline float expm1_of_negative(float x) {
  const ReducedExponent e = reduce_exponent(in_range_of_exp(x));
  const PowerOfTwo power = power_of_two(e.n);
  const float scale = power.first * power.second;
  const float q = e.r + e.r * e.r * exp_series(e.r);
  return scale * q + (scale - 1.0f);
}

PBATCH_HD inline float with_sign_of(float magnitude, float x) {
  return float_of_bits((bits_of_float(magnitude) & 0x7fffffff) |
                       (bits_of_float(x) & static_cast<int32_t>(0x80000000)));
}

PBATCH_HD inline float sigmoid_of(float x) { return 1.0f / (1.0f + exp_of(-x)); }

PBATCH_HD inline float tanh_of_float(float x) { return with_sign_of(tanh_lane(x), x); }

/// x P(x^2) / Q(x^2), fitted with a relative error of 6e-8 up to 3.92, where erf is 1 for a float.
PBATCH_HD inline float erf_of(float x) {
  const float magnitude = float_of_bits(bits_of_float(x) & 0x7fffffff);
  const float m = magnitude > 3.92f ? 3.92f : magnitude;  // NaN passes
  const float t = m * m;
  float p = 1.99242187e-08f;
  p = p * t - 1.95784264e-06f;
  p = p * t + 0.000141852172f;
  p = p * t + 0.00370167778f;
  p = p * t + 0.050573539f;
  p = p * t + 0.199926093f;
  p = p * t + 1.12837911f;
  float q = 0.000956055883f;
  q = q * t + 0.0143533405f;
  q = q * t + 0.114999063f;
  q = q * t + 0.510511518f;
  q = q * t + 1.0f;
  const float y = m * p / q;
  return with_sign_of(y > 1.0f ? 1.0f : y, x);
}

PBATCH_HD inline float gelu_of(float x) { return 0.5f * x * (1.0f + erf_of(x * 0.707106781f)); }

PBATCH_HD inline float gelu_tanh_of(float x) {
  return 0.5f * x * (1.0f + tanh_lane(0.797884561f * (x + 0.044715f * x * x * x)));
}

PBATCH_HD inline float swish_of(float x, float a) { return x / (1.0f + exp_of(-a * x)); }

/// With e = e^x, tanh(log(1 + e)) = e (e + 2) / (e (e + 2) + 2), which is 1 from x = 20 on.
PBATCH_HD inline float mish_of(float x) {
  const float e = exp_of(x > 20.0f ? 20.0f : x);
  const float n = e * (e + 2.0f);
  return x * (n / (n + 2.0f));
}

PBATCH_HD inline float elu_of(float x, float a, float b, float c) {
  const float negative = a * expm1_of_negative(b * (x < 0.0f ? x : 0.0f));
  return x < 0.0f ? negative : c * x;
}

}  // namespace
}  // namespace pbatch
