// kActivationShuffleTables on AVX2.
#include <immintrin.h>
#include <stdint.h>

#include "kernel/digits256.h"
#include "kernel/kernel.h"

namespace pbatch {
namespace {

// The 16 sums of four columns, in each lane of its own four; x repeats them.
inline void store_tables(__m256i x, uint8_t* out) {
  // Byte j of entry i is bit j of i.
  const __m256i choices[4] = {_mm256_setr_epi32(0x00000000, 0x00000001, 0x00000100, 0x00000101,
                                                0x00000000, 0x00000001, 0x00000100, 0x00000101),
                              _mm256_setr_epi32(0x00010000, 0x00010001, 0x00010100, 0x00010101,
                                                0x00010000, 0x00010001, 0x00010100, 0x00010101),
                              _mm256_setr_epi32(0x01000000, 0x01000001, 0x01000100, 0x01000101,
                                                0x01000000, 0x01000001, 0x01000100, 0x01000101),
                              _mm256_setr_epi32(0x01010000, 0x01010001, 0x01010100, 0x01010101,
                                                0x01010000, 0x01010001, 0x01010100, 0x01010101)};
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i sums[4];
  for (int i = 0; i < 4; ++i) {
    sums[i] = _mm256_madd_epi16(_mm256_maddubs_epi16(choices[i], x), ones);
  }
  const __m256i offset = _mm256_set1_epi16(kShuffleTableOffset);
  const __m256i mask = _mm256_set1_epi16((1 << kShuffleTableBits) - 1);
  const __m256i first = _mm256_add_epi16(_mm256_packs_epi32(sums[0], sums[1]), offset);
  const __m256i second = _mm256_add_epi16(_mm256_packs_epi32(sums[2], sums[3]), offset);
  const __m256i low =
      _mm256_packus_epi16(_mm256_and_si256(first, mask), _mm256_and_si256(second, mask));
  const __m256i high = _mm256_packus_epi16(_mm256_srli_epi16(first, kShuffleTableBits),
                                           _mm256_srli_epi16(second, kShuffleTableBits));
  _mm256_store_si256((__m256i*)out, low);
  _mm256_store_si256((__m256i*)(out + 32), high);
}

// The tables of a digit of a block.
inline void store_digit(__m256i digits, uint8_t* out) {
  for (int i = 0; i < 2; ++i) {
    for (int k = 0; k < 2; ++k, out += 64) {
      const int lower = 4 * i + k, upper = lower + 2;
      const __m256i fours =
          _mm256_setr_epi32(lower, lower, lower, lower, upper, upper, upper, upper);
      store_tables(_mm256_permutevar8x32_epi32(digits, fours), out);
    }
  }
}

}  // namespace

void pack_shuffle_tables_avx2_run(const int32_t* q, int64_t col_blocks, int activation_bits,
                                  uint8_t* out) {
  for_each_digit(q, col_blocks, activation_bits, [&out](__m256i digits) {
    store_digit(digits, out);
    out += kShuffleTableBytes;
  });
}

}  // namespace pbatch
