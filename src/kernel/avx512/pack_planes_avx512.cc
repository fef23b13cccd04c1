// kActivationPlanes on AVX-512: a plane of 16 values is a mask.
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

namespace pbatch {
namespace {

// Planes 0 .. count - 1 of 32 values.
inline uint8_t* store_planes(__m512i first, __m512i second, int count, uint8_t* out) {
  for (int i = 0; i < count; ++i) {
    const __m512i bit = _mm512_set1_epi32(1 << i);
    const uint32_t word = (uint32_t)_mm512_test_epi32_mask(first, bit) |
                          (uint32_t)_mm512_test_epi32_mask(second, bit) << 16;
    memcpy(out + 4 * i, &word, sizeof word);
  }
  return out + 4 * count;
}

inline __m512i high_halves(__m512i q) {
  return _mm512_srai_epi32(_mm512_add_epi32(q, _mm512_set1_epi32(16384)), 15);
}

}  // namespace

void pack_planes_avx512_run(const int32_t* q, int64_t col_blocks, int activation_bits,
                            uint8_t* out) {
  for (int64_t block = 0; block < col_blocks; ++block) {
    __m512i first = _mm512_loadu_si512(q + block * kBlockCols);
    __m512i second = _mm512_loadu_si512(q + block * kBlockCols + 16);
    if (activation_bits == 32) {
      const __m512i high0 = high_halves(first), high1 = high_halves(second);
      out = store_planes(high0, high1, 16, out);
      first = _mm512_sub_epi32(first, _mm512_slli_epi32(high0, 15));
      second = _mm512_sub_epi32(second, _mm512_slli_epi32(high1, 15));
    }
    out = store_planes(first, second, activation_bits == 8 ? 8 : 16, out);
  }
}

}  // namespace pbatch
