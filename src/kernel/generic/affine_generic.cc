// Affine codes of activations in plain C.
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

namespace pbatch {
namespace {

inline uint32_t magnitude_bits(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits & 0x7fffffffu;
}

// To nearest, ties to even, of numbers below 2^22.
inline int32_t round_even(float v) {
  const float shifted = v + 0x1.8p23f;
  int32_t bits;
  memcpy(&bits, &shifted, sizeof bits);
  return bits - 0x4b400000;
}

}  // namespace

int affine_generic_run(const float* x, int64_t count, int8_t* out, float* scale, int32_t* zero) {
  float low = 0, high = 0;
  uint32_t most = 0;
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t magnitude = magnitude_bits(x[i]);
    most = magnitude > most ? magnitude : most;
    low = x[i] < low ? x[i] : low;
    high = x[i] > high ? x[i] : high;
  }
  if (most >= 0x7f800000u) return 0;
  const AffineCode code = affine_code(low, high);
  *scale = code.scale;
  *zero = round_even(low * code.inverse) + 127;
  for (int64_t i = 0; i < count; ++i) {
    const int32_t q = round_even(x[i] * code.inverse) - *zero;
    out[i] = (int8_t)(q > 127 ? 127 : q);
  }
  return 1;
}

}  // namespace pbatch
