// Activation quantizer in plain C; the loops over a block are written for the compiler's
// vectorizer.
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"
#include "kernel/quantize_driver.h"

namespace pbatch {
namespace {

inline uint32_t bits_of(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

inline float float_of(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

// Bits of the largest magnitude; as integers they compare as the floats do, and NaN above all.
uint32_t max_magnitude_bits(const float* x, int64_t cols) {
  int32_t max = 0;
  for (int64_t c = 0; c < cols; ++c) {
    const int32_t bits = (int32_t)(bits_of(x[c]) & 0x7fffffffu);
    max = bits > max ? bits : max;
  }
  return (uint32_t)max;
}

// To nearest, ties to even: 2^23 of the same sign leaves no bits for the fraction, and from there
// on a float is an integer already. Chosen by bits: a branch would stand in the vectorizer's way.
inline float round_even(float v) {
  const uint32_t bits = bits_of(v), sign = bits & 0x80000000u;
  const float big = float_of(sign | 0x4b000000u);
  const uint32_t below = bits - sign < 0x4b000000u ? 0xffffffffu : 0;
  return float_of((bits_of((v + big) - big) & below) | (bits & ~below));
}

template <int A>
inline void quantize_block(const float* x, float inverse, int32_t* q) {
  if (A == 32) {
    const float qmax = (float)activation_qmax(A);
    for (int c = 0; c < kBlockCols; ++c) {
      float v = round_even(x[c] * inverse);
      v = v > qmax ? qmax : v;
      v = v < -qmax ? -qmax : v;
      q[c] = (int32_t)v;
    }
    return;
  }
  // No limit is needed: the product, off by two roundings, still rounds to qmax. It is so small
  // that 1.5 * 2^23 leaves no fraction either way, and q in the low bits.
  for (int c = 0; c < kBlockCols; ++c) {
    q[c] = (int32_t)(bits_of(x[c] * inverse + 0x1.8p23f) - 0x4b400000u);
  }
}

inline int32_t sum_of(const int32_t* v) {
  int32_t sum = 0;
  for (int c = 0; c < kBlockCols; ++c) sum += v[c];
  return sum;
}

// The low bytes, then what they leave over: the two digits of 16 bits, or only the first.
inline void store_digits(const int32_t* v, int digits, uint8_t* out) {
  uint16_t words[kBlockCols];
  for (int c = 0; c < kBlockCols; ++c) words[c] = (uint16_t)v[c];
  for (int c = 0; c < kBlockCols; ++c) out[c] = (uint8_t)words[c];
  if (digits == 1) return;
  for (int c = 0; c < kBlockCols; ++c) words[c] = (uint16_t)(words[c] + 128);
  for (int c = 0; c < kBlockCols; ++c) out[kBlockCols + c] = (uint8_t)(words[c] >> 8);
}

// One block: to `out` in the layout, and its sums added to *first and, for A = 32, *second.
template <int A, ActivationLayout layout>
inline void finish_block(const int32_t* q, uint8_t* out, int32_t* first, int32_t* second) {
  if (layout == kActivationNumbers) memcpy(out, q, kBlockCols * sizeof *q);
  if (A == 32) {
    int32_t high[kBlockCols], low[kBlockCols];
    for (int c = 0; c < kBlockCols; ++c) high[c] = high_half(q[c]);
    for (int c = 0; c < kBlockCols; ++c) low[c] = q[c] - 32768 * high[c];
    *first += sum_of(high);
    *second += sum_of(low);
    if (layout == kActivationDigits) {
      store_digits(high, 2, out);
      store_digits(low, 2, out + 2 * kBlockCols);
    }
    return;
  }
  *first += sum_of(q);
  if (layout == kActivationDigits) store_digits(q, A / 8, out);
}

template <int A, ActivationLayout layout>
void quantize(const float* x, int64_t cols, int64_t col_blocks, int run_blocks, float inverse,
              uint8_t* out, int32_t* run_sums) {
  const int64_t block_bytes = kBlockCols * (layout == kActivationNumbers ? 4 : A / 8);
  const int64_t runs = (col_blocks + run_blocks - 1) / run_blocks;
  for (int64_t run = 0; run < runs; ++run) {
    int32_t first = 0, second = 0;
    for (int64_t b = run * run_blocks; b < (run + 1) * run_blocks && b < col_blocks; ++b) {
      const int64_t left = cols - b * kBlockCols;
      int32_t q[kBlockCols];
      if (left >= kBlockCols) {
        quantize_block<A>(x + b * kBlockCols, inverse, q);
      } else {
        float padded[kBlockCols] = {0};
        if (left > 0) memcpy(padded, x + b * kBlockCols, (size_t)left * sizeof *x);
        quantize_block<A>(padded, inverse, q);
      }
      finish_block<A, layout>(q, out + b * block_bytes, &first, &second);
    }
    run_sums[run] = first;
    if (A == 32) run_sums[runs + run] = second;
  }
  const int64_t bytes = col_blocks * block_bytes;
  memset(out + bytes, 0, (size_t)(packed_bytes(layout, col_blocks, A) - bytes));
}

}  // namespace

int quantize_generic_run(const float* x, int64_t cols, int64_t col_blocks, int run_blocks,
                         int activation_bits, ActivationLayout layout, uint8_t* out,
                         int32_t* run_sums, float* scale) {
  static const QuantizeLoop kLoops[3][2] = {
      {quantize<8, kActivationNumbers>, quantize<8, kActivationDigits>},
      {quantize<16, kActivationNumbers>, quantize<16, kActivationDigits>},
      {quantize<32, kActivationNumbers>, quantize<32, kActivationDigits>}};
  return run_quantize_loop(kLoops, max_magnitude_bits(x, cols), x, cols, col_blocks, run_blocks,
                           activation_bits, layout, out, run_sums, scale);
}

}  // namespace pbatch
