// Activation quantizer in plain C; the loops are written for the compiler's vectorizer.
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

namespace pbatch {
namespace {

// Of a non-negative float, so that integers compare as the floats do.
inline uint32_t magnitude_bits(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits & 0x7fffffffu;
}

// To nearest, ties to even. |x| < 2^31. From 2^23 on a float is an integer already; below, adding
// 2^23 leaves no bits for the fraction.
inline float round_even(float x) {
  const float magnitude = x < 0.0f ? -x : x;
  const float rounded = (magnitude + 8388608.0f) - 8388608.0f;
  const float result = magnitude < 8388608.0f ? rounded : magnitude;
  return x < 0.0f ? -result : result;
}

void sum_runs(const int32_t* q, int64_t col_blocks, int run_blocks, int activation_bits,
              int32_t* run_sums) {
  const int64_t run_cols = static_cast<int64_t>(run_blocks) * kBlockCols;
  const int64_t cols = col_blocks * kBlockCols;
  const int64_t runs = (col_blocks + run_blocks - 1) / run_blocks;
  for (int64_t run = 0; run < runs; ++run) {
    const int64_t begin = run * run_cols;
    const int64_t end = begin + run_cols < cols ? begin + run_cols : cols;
    int32_t first = 0, second = 0;
    if (activation_bits == 32) {
      for (int64_t c = begin; c < end; ++c) {
        const int32_t hi = high_half(q[c]);
        first += hi;
        second += q[c] - hi * 32768;
      }
      run_sums[runs + run] = second;
    } else {
      for (int64_t c = begin; c < end; ++c) first += q[c];
    }
    run_sums[run] = first;
  }
}

}  // namespace

int quantize_generic_run(const float* x, int64_t cols, int64_t col_blocks, int run_blocks,
                         int activation_bits, int32_t* q, int32_t* run_sums, float* scale) {
  uint32_t max_bits = 0;
  for (int64_t c = 0; c < cols; ++c) {
    const uint32_t bits = magnitude_bits(x[c]);
    max_bits = bits > max_bits ? bits : max_bits;
  }
  const uint32_t infinity_bits = 0x7f800000u;
  if (max_bits >= infinity_bits) return 0;
  float max;
  memcpy(&max, &max_bits, sizeof max);

  const float qmax = static_cast<float>(activation_qmax(activation_bits));
  if (max < 0x1p-90f) {
    *scale = 0.0f;
    memset(q, 0, static_cast<size_t>(col_blocks * kBlockCols) * sizeof *q);
  } else {
    *scale = max / qmax;
    const float inverse = qmax / max;
    for (int64_t c = 0; c < cols; ++c) {
      float v = round_even(x[c] * inverse);
      v = v > qmax ? qmax : v;
      v = v < -qmax ? -qmax : v;
      q[c] = static_cast<int32_t>(v);
    }
    for (int64_t c = cols; c < col_blocks * kBlockCols; ++c) q[c] = 0;
  }
  sum_runs(q, col_blocks, run_blocks, activation_bits, run_sums);
  return 1;
}

}  // namespace pbatch
