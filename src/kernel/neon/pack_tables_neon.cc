// kActivationTables on NEON.
#include <arm_neon.h>
#include <stdint.h>

#include "kernel/kernel.h"

namespace pbatch {
namespace {

// The 16 sums of four numbers: element [k] has those of bits 4 k to 4 k + 3.
inline void sums_of(int32x4_t numbers, int32x4_t* sums) {
  static const int32_t kFirst[4] = {-1, 1, -1, 1}, kSecond[4] = {-1, -1, 1, 1};
  const int32x4_t first = vld1q_s32(kFirst), second = vld1q_s32(kSecond);
  const int32x4_t lower = vmlaq_laneq_s32(vmulq_laneq_s32(first, numbers, 0), second, numbers, 1);
  const int32x4_t upper = vmlaq_laneq_s32(vmulq_laneq_s32(first, numbers, 2), second, numbers, 3);
  sums[0] = vaddq_s32(lower, vdupq_laneq_s32(upper, 0));
  sums[1] = vaddq_s32(lower, vdupq_laneq_s32(upper, 1));
  sums[2] = vaddq_s32(lower, vdupq_laneq_s32(upper, 2));
  sums[3] = vaddq_s32(lower, vdupq_laneq_s32(upper, 3));
}

// The table of four numbers, its bytes 64 apart.
template <int B>
inline void store_table(int32x4_t numbers, uint8_t* out) {
  int32x4_t sums[4];
  sums_of(numbers, sums);
  uint16x8_t words[4];
  for (int k = 0; k < 4; ++k) words[k] = vreinterpretq_u16_s32(sums[k]);
  const uint8x16_t first = vreinterpretq_u8_u16(vuzp1q_u16(words[0], words[1]));
  const uint8x16_t second = vreinterpretq_u8_u16(vuzp1q_u16(words[2], words[3]));
  vst1q_u8(out, vuzp1q_u8(first, second));
  vst1q_u8(out + 64, vuzp2q_u8(first, second));
  if (B == 2) return;
  const uint8x16_t third = vreinterpretq_u8_u16(vuzp2q_u16(words[0], words[1]));
  const uint8x16_t fourth = vreinterpretq_u8_u16(vuzp2q_u16(words[2], words[3]));
  vst1q_u8(out + 128, vuzp1q_u8(third, fourth));
}

template <int A>
void pack(const int32_t* q, int64_t col_blocks, uint8_t* out) {
  constexpr int B = table_bytes(A), kHalves = activation_halves(A);
  for (int64_t block = 0; block < col_blocks; ++block) {
    for (int upper = 0; upper < 2; ++upper) {
      for (int b = 0; b < 4; ++b) {
        const int32x4_t numbers = vld1q_s32(q + block * kBlockCols + 8 * b + 4 * upper);
        if constexpr (kHalves == 2) {
          const int32x4_t high = vrshrq_n_s32(numbers, 15);
          store_table<B>(high, out + 16 * b);
          store_table<B>(vsubq_s32(numbers, vshlq_n_s32(high, 15)), out + 64 * B + 16 * b);
        } else {
          store_table<B>(numbers, out + 16 * b);
        }
      }
      out += kHalves * B * 64;
    }
  }
}

}  // namespace

void pack_tables_neon_run(const int32_t* q, int64_t col_blocks, int activation_bits, uint8_t* out) {
  if (activation_bits == 8) return pack<8>(q, col_blocks, out);
  if (activation_bits == 16) return pack<16>(q, col_blocks, out);
  pack<32>(q, col_blocks, out);
}

}  // namespace pbatch
