// Byte digits of q, 32 columns in a register.
#pragma once

#include <immintrin.h>
#include <stdint.h>

#include "kernel/kernel.h"

namespace pbatch {
namespace {

// The lowest bytes of 32 values, in order.
inline __m256i lowest_bytes(const __m256i values[4]) {
  const __m256i mask = _mm256_set1_epi32(0xff);
  __m256i v[4];
  for (int i = 0; i < 4; ++i) v[i] = _mm256_and_si256(values[i], mask);
  const __m256i mixed =
      _mm256_packus_epi16(_mm256_packus_epi32(v[0], v[1]), _mm256_packus_epi32(v[2], v[3]));
  // The packs work within 128-bit lanes: quads of values come as 0 2 4 6, 1 3 5 7.
  return _mm256_permutevar8x32_epi32(mixed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

// Calls store(the lowest digits) `digits` times, the lowest one first.
template <class Store>
inline void store_half(__m256i values[4], int digits, const Store& store) {
  const __m256i round = _mm256_set1_epi32(128);
  for (int d = 0; d < digits; ++d) {
    store(lowest_bytes(values));
    for (int i = 0; i < 4; ++i) {
      values[i] = _mm256_srai_epi32(_mm256_add_epi32(values[i], round), 8);
    }
  }
}

// Calls store(__m256i) for every digit, in the order [col_blocks][halves][digits].
template <class Store>
inline void for_each_digit(const int32_t* q, int64_t col_blocks, int activation_bits,
                           const Store& store) {
  const __m256i round = _mm256_set1_epi32(16384);
  for (int64_t block = 0; block < col_blocks; ++block) {
    __m256i low[4], high[4];
    for (int i = 0; i < 4; ++i) {
      low[i] = _mm256_loadu_si256((const __m256i*)(q + block * kBlockCols + 8 * i));
    }
    if (activation_bits == 32) {
      for (int i = 0; i < 4; ++i) {
        high[i] = _mm256_srai_epi32(_mm256_add_epi32(low[i], round), 15);
        low[i] = _mm256_sub_epi32(low[i], _mm256_slli_epi32(high[i], 15));
      }
      store_half(high, 2, store);
    }
    store_half(low, activation_bits == 8 ? 1 : 2, store);
  }
}

}  // namespace
}  // namespace pbatch
