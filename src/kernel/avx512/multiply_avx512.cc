// Multiplies bytes in registers by VPDPBUSD, and reads nothing.
#include <immintrin.h>

#include "kernel/ceiling.h"

namespace pbatch {

int64_t multiply_avx512_run(int64_t steps, int32_t* sum) {
  enum { kSums = 16 };  // enough for two units, each of which answers after a few cycles
  __m512i sums[kSums];
  for (int i = 0; i < kSums; ++i) sums[i] = _mm512_set1_epi32(*sum + i);
  const __m512i weights = _mm512_set1_epi8(3), x = _mm512_set1_epi8(-5);
  for (int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 16
    for (int i = 0; i < kSums; ++i) sums[i] = _mm512_dpbusd_epi32(sums[i], weights, x);
  }
  for (int i = 1; i < kSums; ++i) sums[0] = _mm512_xor_si512(sums[0], sums[i]);
  *sum = _mm_cvtsi128_si32(_mm512_castsi512_si128(sums[0]));
  return steps * kSums * 64;
}

}  // namespace pbatch
