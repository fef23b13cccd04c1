// Multiplies bytes in registers by VPMADDUBSW and adds the 16-bit sums of two, as long as they may
// be; reads nothing.
#include <immintrin.h>

#include "kernel/ceiling.h"

namespace pbatch {

int64_t multiply_avx2_run(int64_t steps, int32_t* sum) {
  enum { kSums = 12 };  // as many as leave registers for operands and products
  __m256i sums[kSums];
#pragma GCC unroll 12
  for (int i = 0; i < kSums; ++i) sums[i] = _mm256_set1_epi32(*sum + i);
  __m256i weights = _mm256_set1_epi8(3);
  const __m256i x = _mm256_set1_epi8(-5);
  for (int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 12
    for (int i = 0; i < kSums; ++i) {
      __asm__("" : "+x"(weights));  // else one product would serve all sums
      sums[i] = _mm256_add_epi16(sums[i], _mm256_maddubs_epi16(weights, x));
    }
  }
#pragma GCC unroll 12
  for (int i = 1; i < kSums; ++i) sums[0] = _mm256_xor_si256(sums[0], sums[i]);
  *sum = _mm_cvtsi128_si32(_mm256_castsi256_si128(sums[0]));
  return steps * kSums * 32;
}

}  // namespace pbatch
