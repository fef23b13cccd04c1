// A Method of fields256.h on AVX2 without VNNI: weights in bytes of their own meet byte digits in
// VPMADDUBSW, whose 16-bit sums of two products are added as long as they fit 16 bits.
#pragma once

#include <immintrin.h>
#include <stdint.h>

#include "kernel/avx2/registers.h"
#include "kernel/fields256.h"

namespace pbatch {
namespace {

// Each field masked out on its own, at most 15; or a weight of at most 7 planes in a byte. kSteps
// sums of two products fit a signed 16-bit word: kSteps * 2 * 128 * field <= 32768.
template <int kSteps>
struct Bytes {
  static constexpr int kPassSums = 8, kVectors = 4;
  static constexpr int bands(int field_bits, int digits) {
    return field_bits > 2 * digits ? field_bits / (2 * digits) : 1;
  }
  static constexpr bool kWholeHalves = false;

  template <class T, int kFirst>
  static inline void sum_run(T& t, int row_half, int64_t begin, int64_t end) {
    PassSums<T> sums;
    clear_sums(sums);
    for (int64_t block = begin; block < end; ++block) {
#pragma GCC unroll 8
      for (int v = 0; v < 8; v += kSteps) add_steps<T, kFirst>(t, row_half, block, v, sums);
    }
    store_sums<T, kFirst>(sums, row_half, t);
  }

  // The m-th weight of each byte, times the power of two of its place in the nibble.
  template <class T, int m>
  static inline __m256i weights(__m256i bytes) {
    if constexpr (T::kMasks == 1) return bytes;
    constexpr int kPlace = T::kFieldBits * (T::kMasks - 1 - m), kLeft = place_in_nibble<T>(m);
    const int mask = ((1 << T::kFieldBits) - 1) << kLeft;
    return _mm256_and_si256(kPlace == kLeft ? bytes : _mm256_srli_epi16(bytes, kPlace - kLeft),
                            _mm256_set1_epi8((char)mask));
  }

  template <bool kFresh>
  static inline __m256i add(__m256i sum, __m256i weights, __m256i x) {
    const __m256i products = _mm256_maddubs_epi16(weights, x);
    return kFresh ? products : in_register(_mm256_add_epi16(sum, products));
  }

  template <class T>
  static inline __m256i twice_products(const __m256i* sums, int m) {
    const int place = place_in_nibble<T>(m);
    return place == 0 ? _mm256_add_epi32(sums[m], sums[m]) : _mm256_srai_epi32(sums[m], place - 1);
  }

 private:
  // 0 where a weight would not stay below 16 at its place.
  template <class T>
  static constexpr int place_in_nibble(int m) {
    return T::kFieldBits == 3 ? 0 : T::kFieldBits * (T::kMasks - 1 - m) % 4;
  }

  template <class T, int kFirst>
  static inline void add_steps(const T& t, int row_half, int64_t block, int v, PassSums<T>& sums) {
    PassSums<T> words;
    multiply_four<T, kFirst, true>(t, row_half, block, v, words);
#pragma GCC unroll 8
    for (int step = 1; step < kSteps; ++step) {
      multiply_four<T, kFirst, false>(t, row_half, block, v + step, words);
    }
    const __m256i ones = _mm256_set1_epi16(1);
    for (int b = 0; b < T::kBands; ++b) {
      for (int r = 0; r < T::kPassRows; ++r) {
        for (int m = 0; m < T::kPassMasks; ++m) {
          for (int c = 0; c < T::kColumns; ++c) {
            __m256i& sum = sums.at[b][r][m][c];
            const __m256i wide = _mm256_madd_epi16(words.at[b][r][m][c], ones);
            sum = in_register(_mm256_add_epi32(sum, wide));
          }
        }
      }
    }
  }
};

}  // namespace
}  // namespace pbatch
