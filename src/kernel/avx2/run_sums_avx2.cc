// Sums of packed digits on AVX2: PSADBW adds eight bytes, made unsigned by adding 128, and the sums
// of four column blocks are reduced together.
#include <immintrin.h>
#include <stdint.h>

#include "kernel/kernel.h"

namespace pbatch {
namespace {

const int kTogether = 4;  // blocks

// Four 64-bit sums of eight digits each, plus 128 for each digit.
inline __m256i sum_eights(const uint8_t* block) {
  const __m256i digits = _mm256_loadu_si256((const __m256i*)block);
  const __m256i bias = _mm256_set1_epi8((char)0x80);
  return _mm256_sad_epu8(_mm256_xor_si256(digits, bias), _mm256_setzero_si256());
}

// Of one digit: lane i is the sum of block i, of `count` that there are.
inline __m128i sum_blocks(const uint8_t* digits, int64_t stride, int64_t count) {
  __m256i eights[kTogether];
  for (int i = 0; i < kTogether; ++i) {
    eights[i] = i < count ? sum_eights(digits + i * stride) : _mm256_set1_epi64x(8 * 128);
  }
  const __m256i first = _mm256_or_si256(eights[0], _mm256_slli_epi64(eights[1], 32));
  const __m256i second = _mm256_or_si256(eights[2], _mm256_slli_epi64(eights[3], 32));
  const __m256i pairs =
      _mm256_add_epi32(_mm256_unpacklo_epi64(first, second), _mm256_unpackhi_epi64(first, second));
  const __m128i sums =
      _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
  return _mm_sub_epi32(sums, _mm_set1_epi32(kBlockCols * 128));
}

// From the sums of `blocks` blocks, at most four, to those of runs; returns how many.
inline int64_t store_runs(__m128i sums, int64_t blocks, int run_blocks, int32_t* out) {
  alignas(16) int32_t lanes[kTogether];
  _mm_store_si128((__m128i*)lanes, sums);
  if (run_blocks == 4) {
    out[0] = lanes[0] + lanes[1] + lanes[2] + lanes[3];
    return 1;
  }
  if (run_blocks == 2) {
    out[0] = lanes[0] + lanes[1];
    if (blocks > 2) out[1] = lanes[2] + lanes[3];
    return (blocks + 1) / 2;
  }
  for (int64_t i = 0; i < blocks; ++i) out[i] = lanes[i];
  return blocks;
}

}  // namespace

void run_sums_avx2_run(const uint8_t* packed, int64_t col_blocks, int run_blocks,
                       int activation_bits, int32_t* run_sums) {
  const int halves = activation_halves(activation_bits);
  const int digits = activation_bits / 8 / halves;
  const int64_t stride = activation_bits / 8 * kBlockCols;
  for (int half = 0; half < halves; ++half) {
    const uint8_t* low = packed + half * digits * kBlockCols;
    for (int64_t left = col_blocks; left > 0; left -= kTogether, low += kTogether * stride) {
      const int64_t blocks = left < kTogether ? left : kTogether;
      __m128i sums = sum_blocks(low, stride, blocks);
      if (digits == 2) {
        const __m128i high = sum_blocks(low + kBlockCols, stride, blocks);
        sums = _mm_add_epi32(sums, _mm_slli_epi32(high, 8));
      }
      run_sums += store_runs(sums, blocks, run_blocks, run_sums);
    }
  }
}

}  // namespace pbatch
