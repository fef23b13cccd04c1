// kActivationDoubledDigits on AVX-512.
#include <immintrin.h>
#include <stdint.h>

#include "kernel/kernel.h"

namespace pbatch {
namespace {

// Byte digits of 16 values, in the low bytes of the lanes: `low` is the first, the rest is kept.
inline __m512i shift_out_digit(__m512i values) {
  return _mm512_srai_epi32(_mm512_add_epi32(values, _mm512_set1_epi32(128)), 8);
}

inline void store_digit(__m512i first, __m512i second, uint8_t* out) {
  const __m512i twice = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
  const __m256i bytes = _mm256_set_m128i(_mm512_cvtepi32_epi8(second), _mm512_cvtepi32_epi8(first));
  _mm512_storeu_si512(out, _mm512_permutexvar_epi32(twice, _mm512_castsi256_si512(bytes)));
}

inline void store_half(__m512i first, __m512i second, uint8_t* out) {
  store_digit(first, second, out);
  store_digit(shift_out_digit(first), shift_out_digit(second), out + 64);
}

inline __m512i high_halves(__m512i q) {
  return _mm512_srai_epi32(_mm512_add_epi32(q, _mm512_set1_epi32(16384)), 15);
}

}  // namespace

void pack_doubled_avx512_run(const int32_t* q, int64_t col_blocks, int activation_bits,
                             uint8_t* out) {
  for (int64_t block = 0; block < col_blocks; ++block) {
    const __m512i first = _mm512_loadu_si512(q + block * kBlockCols);
    const __m512i second = _mm512_loadu_si512(q + block * kBlockCols + 16);
    if (activation_bits == 8) {
      store_digit(first, second, out);
    } else if (activation_bits == 16) {
      store_half(first, second, out);
    } else {
      const __m512i hi0 = high_halves(first), hi1 = high_halves(second);
      store_half(hi0, hi1, out);
      store_half(_mm512_sub_epi32(first, _mm512_slli_epi32(hi0, 15)),
                 _mm512_sub_epi32(second, _mm512_slli_epi32(hi1, 15)), out + 128);
    }
    out += activation_bits / 8 * 64;
  }
}

}  // namespace pbatch
