// kActivationDoubledDigits on AVX2.
#include <immintrin.h>
#include <stdint.h>

#include "kernel/digits256.h"
#include "kernel/kernel.h"

namespace pbatch {

void pack_doubled_avx2_run(const int32_t* q, int64_t col_blocks, int activation_bits,
                           uint8_t* out) {
  const __m256i first = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
  const __m256i second = _mm256_setr_epi32(4, 4, 5, 5, 6, 6, 7, 7);
  for_each_digit(q, col_blocks, activation_bits, [&](__m256i digits) {
    _mm256_store_si256((__m256i*)out, _mm256_permutevar8x32_epi32(digits, first));
    _mm256_store_si256((__m256i*)(out + 32), _mm256_permutevar8x32_epi32(digits, second));
    out += 64;
  });
}

}  // namespace pbatch
