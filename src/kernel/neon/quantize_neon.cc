// Activation quantizer on NEON; the float operations of quantize_generic.cc, but that the limits
// apply before rounding, which is the same for limits that are integers.
#include <arm_neon.h>
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"
#include "kernel/quantize_driver.h"

namespace pbatch {
namespace {

const int kLanes = 4, kBlockVectors = kBlockCols / kLanes;

inline uint32x4_t magnitude_bits(float32x4_t x) {
  return vbicq_u32(vreinterpretq_u32_f32(x), vdupq_n_u32(0x80000000u));
}

// Bits of the largest magnitude; as integers they compare as the floats do, and NaN above all.
uint32_t max_magnitude_bits(const float* x, int64_t cols) {
  uint32x4_t max[4];
  for (int k = 0; k < 4; ++k) max[k] = vdupq_n_u32(0);
  int64_t c = 0;
  for (; c + 4 * kLanes <= cols; c += 4 * kLanes) {
    for (int k = 0; k < 4; ++k) {
      max[k] = vmaxq_u32(max[k], magnitude_bits(vld1q_f32(x + c + k * kLanes)));
    }
  }
  for (; c < cols; ++c) max[0] = vmaxq_u32(max[0], magnitude_bits(vld1q_dup_f32(x + c)));
  return vmaxvq_u32(vmaxq_u32(vmaxq_u32(max[0], max[1]), vmaxq_u32(max[2], max[3])));
}

// Only 2^29 needs the limit: with the others the product, off by two roundings, still rounds to
// qmax.
template <int A>
inline int32x4_t quantize_four(float32x4_t x, float32x4_t inverse) {
  float32x4_t v = vmulq_f32(x, inverse);
  if (A == 32) {
    const float32x4_t qmax = vdupq_n_f32((float)activation_qmax(A));
    v = vmaxq_f32(vminq_f32(v, qmax), vnegq_f32(qmax));
  }
  return vcvtnq_s32_f32(v);
}

// The lowest bytes of sixteen numbers.
inline uint8x16_t lowest_bytes(const int32x4_t q[4]) {
  const uint8x16_t first = vuzp1q_u8(vreinterpretq_u8_s32(q[0]), vreinterpretq_u8_s32(q[1]));
  const uint8x16_t second = vuzp1q_u8(vreinterpretq_u8_s32(q[2]), vreinterpretq_u8_s32(q[3]));
  return vuzp1q_u8(first, second);
}

inline void store_digit(const int32x4_t q[kBlockVectors], uint8_t* out) {
  vst1q_u8(out, lowest_bytes(q));
  vst1q_u8(out + 16, lowest_bytes(q + 4));
}

// The two digits of 16 bits.
inline void store_digits(const int32x4_t q[kBlockVectors], uint8_t* out) {
  int32x4_t above[kBlockVectors];
  for (int k = 0; k < kBlockVectors; ++k) above[k] = vrshrq_n_s32(q[k], 8);
  store_digit(q, out);
  store_digit(above, out + kBlockCols);
}

inline int32x4_t add_all(int32x4_t sum, const int32x4_t q[kBlockVectors]) {
  for (int k = 0; k < kBlockVectors; ++k) sum = vaddq_s32(sum, q[k]);
  return sum;
}

// Sums of a run: of q, or of its two halves.
struct Sums {
  int32x4_t first, second;
};

// One block: stored in the layout, and added to the sums.
template <int A, ActivationLayout layout>
inline void finish_block(const int32x4_t q[kBlockVectors], uint8_t* out, Sums& sums) {
  if (layout == kActivationNumbers) {
    for (int k = 0; k < kBlockVectors; ++k) vst1q_s32((int32_t*)out + k * kLanes, q[k]);
  }
  if (A == 32) {
    int32x4_t high[kBlockVectors], low[kBlockVectors];
    for (int k = 0; k < kBlockVectors; ++k) {
      high[k] = vrshrq_n_s32(q[k], 15);
      low[k] = vsubq_s32(q[k], vshlq_n_s32(high[k], 15));
    }
    sums.first = add_all(sums.first, high);
    sums.second = add_all(sums.second, low);
    if (layout == kActivationDigits) {
      store_digits(high, out);
      store_digits(low, out + 2 * kBlockCols);
    }
    return;
  }
  sums.first = add_all(sums.first, q);
  if (layout != kActivationDigits) return;
  if (A == 8) store_digit(q, out);
  if (A == 16) store_digits(q, out);
}

template <int A, ActivationLayout layout>
void quantize(const float* x, int64_t cols, int64_t col_blocks, int run_blocks, float factor,
              uint8_t* out, int32_t* run_sums) {
  const int64_t block_bytes = kBlockCols * (layout == kActivationNumbers ? 4 : A / 8);
  const int64_t runs = (col_blocks + run_blocks - 1) / run_blocks;
  const float32x4_t inverse = vdupq_n_f32(factor);
  for (int64_t run = 0; run < runs; ++run) {
    Sums sums = {vdupq_n_s32(0), vdupq_n_s32(0)};
    for (int64_t b = run * run_blocks; b < (run + 1) * run_blocks && b < col_blocks; ++b) {
      const float* from = x + b * kBlockCols;
      const int64_t left = cols - b * kBlockCols;
      float padded[kBlockCols];
      if (left < kBlockCols) {
        memset(padded, 0, sizeof padded);
        if (left > 0) memcpy(padded, from, (size_t)left * sizeof *from);
        from = padded;
      }
      int32x4_t q[kBlockVectors];
      for (int k = 0; k < kBlockVectors; ++k) {
        q[k] = quantize_four<A>(vld1q_f32(from + k * kLanes), inverse);
      }
      finish_block<A, layout>(q, out + b * block_bytes, sums);
    }
    run_sums[run] = vaddvq_s32(sums.first);
    if (A == 32) run_sums[runs + run] = vaddvq_s32(sums.second);
  }
  const int64_t bytes = col_blocks * block_bytes;
  memset(out + bytes, 0, (size_t)(packed_bytes(layout, col_blocks, A) - bytes));
}

}  // namespace

int quantize_neon_run(const float* x, int64_t cols, int64_t col_blocks, int run_blocks,
                      int activation_bits, ActivationLayout layout, uint8_t* out, int32_t* run_sums,
                      float* scale) {
  static const QuantizeLoop kLoops[3][2] = {
      {quantize<8, kActivationNumbers>, quantize<8, kActivationDigits>},
      {quantize<16, kActivationNumbers>, quantize<16, kActivationDigits>},
      {quantize<32, kActivationNumbers>, quantize<32, kActivationDigits>}};
  return run_quantize_loop(kLoops, max_magnitude_bits(x, cols), x, cols, col_blocks, run_blocks,
                           activation_bits, layout, out, run_sums, scale);
}

}  // namespace pbatch
