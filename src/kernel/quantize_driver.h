// What every quantizer does around its loops: the scale, and which loop. All in an unnamed
// namespace, since files for different instruction sets include it.
#pragma once

#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

namespace pbatch {
namespace {

typedef void (*QuantizeLoop)(const float* x, int64_t cols, int64_t col_blocks, int run_blocks,
                             float inverse, uint8_t* out, int32_t* run_sums);

// QuantizeFn for the loops [activation bits / 16][whether digits are wanted] of vectors whose
// greatest magnitude has the bits `max_bits`. Vectors below 2^-90 are zeros; 0 if one is not
// finite.
inline int run_quantize_loop(const QuantizeLoop loops[3][2], uint32_t max_bits, const float* x,
                             int64_t cols, int64_t col_blocks, int run_blocks, int activation_bits,
                             ActivationLayout layout, uint8_t* out, int32_t* run_sums,
                             float* scale) {
  const uint32_t infinity_bits = 0x7f800000u;
  if (max_bits >= infinity_bits) return 0;
  float max;
  memcpy(&max, &max_bits, sizeof max);
  const float qmax = (float)activation_qmax(activation_bits);
  const bool zeros = max < 0x1p-90f;
  *scale = zeros ? 0.0f : max / qmax;
  loops[activation_bits / 16][layout == kActivationDigits](
      x, cols, col_blocks, run_blocks, zeros ? 0.0f : qmax / max, out, run_sums);
  return 1;
}

}  // namespace
}  // namespace pbatch
