// kActivationPlanes on AVX2: a plane of 32 bytes is what VPMOVMSKB takes.
#include <immintrin.h>
#include <stdint.h>

#include "kernel/kernel.h"

namespace pbatch {
namespace {

// The top bits of 32 bytes are one word: the bytes are doubled to bring up the next plane.
void pack_eight_planes(__m256i bytes, uint32_t* words) {
  for (int j = 7; j >= 0; --j) {
    words[j] = (uint32_t)_mm256_movemask_epi8(bytes);
    bytes = _mm256_add_epi8(bytes, bytes);
  }
}

// Byte `shift` / 8 of 32 values, in order.
inline __m256i gather_bytes(const __m256i values[4], int shift) {
  const __m256i mask = _mm256_set1_epi32(0xff);
  __m256i v[4];
  for (int k = 0; k < 4; ++k) v[k] = _mm256_and_si256(_mm256_srli_epi32(values[k], shift), mask);
  const __m256i first = _mm256_packus_epi32(v[0], v[1]);
  const __m256i second = _mm256_packus_epi32(v[2], v[3]);
  const __m256i mixed = _mm256_packus_epi16(first, second);
  // The packs work within 128-bit lanes: quads of values come as 0 2 4 6, 1 3 5 7.
  return _mm256_permutevar8x32_epi32(mixed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

}  // namespace

void pack_planes_avx2_run(const int32_t* q, int64_t col_blocks, int activation_bits, uint8_t* out) {
  const __m256i round = _mm256_set1_epi32(16384);
  uint32_t* words = (uint32_t*)out;
  for (int64_t block = 0; block < col_blocks; ++block) {
    __m256i values[4], high[4];
    for (int k = 0; k < 4; ++k) {
      values[k] = _mm256_loadu_si256((const __m256i*)(q + block * kBlockCols + 8 * k));
    }
    if (activation_bits == 32) {
      for (int k = 0; k < 4; ++k) {
        high[k] = _mm256_srai_epi32(_mm256_add_epi32(values[k], round), 15);
        values[k] = _mm256_sub_epi32(values[k], _mm256_slli_epi32(high[k], 15));
      }
      for (int shift = 0; shift < 16; shift += 8, words += 8) {
        pack_eight_planes(gather_bytes(high, shift), words);
      }
    }
    const int low_bits = activation_bits == 8 ? 8 : 16;
    for (int shift = 0; shift < low_bits; shift += 8, words += 8) {
      pack_eight_planes(gather_bytes(values, shift), words);
    }
  }
}

}  // namespace pbatch
