// A Method of fields256.h on AVX2 without VNNI: weights of 8 planes, too wide for VPMADDUBSW, as
// 16-bit words that meet whole halves in VPMADDWD.
#pragma once

#include <immintrin.h>
#include <stdint.h>

#include "kernel/avx2/byte_fields.h"

namespace pbatch {
namespace {

const int kRunBlocks = 4;  // at most

// F = 8, 8 planes.
struct Words {
  static constexpr int kPassSums = 8, kVectors = 4;
  static constexpr int bands(int /*field_bits*/, int digits) { return digits < 4 ? 2 : 1; }
  static constexpr bool kWholeHalves = true;

  template <class T, int kFirst>
  static inline void sum_run(T& t, int row_half, int64_t begin, int64_t end) {
    const __m256i low_bytes = _mm256_set1_epi16(0x00ff);
    __m256i pairs[T::kColumns][kRunBlocks][2];
    for (int c = 0; c < T::kColumns; ++c) {
      for (int64_t block = begin; block < end; ++block) {
        make_pairs(t, block, c, pairs[c][block - begin]);
      }
    }
    PassSums<T> sums;
    clear_sums(sums);
    for (int64_t block = begin; block < end; ++block) {
#pragma GCC unroll 8
      for (int v = 0; v < 8; ++v) {
        __m256i even[T::kBands][T::kPassRows], odd[T::kBands][T::kPassRows];
        for (int b = 0; b < T::kBands; ++b) {
          for (int r = 0; r < T::kPassRows; ++r) {
            const __m256i bytes = load_weights(t, block, v, b, row_half + r);
            even[b][r] = _mm256_and_si256(bytes, low_bytes);
            odd[b][r] = _mm256_srli_epi16(bytes, 8);
          }
        }
        for (int c = 0; c < T::kColumns; ++c) {
          const int32_t* pair = (const int32_t*)pairs[c][block - begin] + v;
          const __m256i x_even = _mm256_set1_epi32(pair[0]), x_odd = _mm256_set1_epi32(pair[8]);
          for (int b = 0; b < T::kBands; ++b) {
            for (int r = 0; r < T::kPassRows; ++r) {
              __m256i& sum = sums.at[b][r][0][c];
              const __m256i products = _mm256_add_epi32(_mm256_madd_epi16(even[b][r], x_even),
                                                        _mm256_madd_epi16(odd[b][r], x_odd));
              sum = in_register(_mm256_add_epi32(sum, products));
            }
          }
        }
      }
    }
    store_sums<T, kFirst>(sums, row_half, t);
  }

  template <class T>
  static inline __m256i twice_products(const __m256i* sums, int /*m*/) {
    return _mm256_add_epi32(sums[0], sums[0]);
  }

 private:
  // One half of the activations of a block in 16-bit words: of each four columns 4 v .. 4 v + 3,
  // the first and the third in the 32-bit lane v of pairs[0], the others in that of pairs[1].
  template <class T>
  static inline void make_pairs(const T& t, int64_t block, int column, __m256i pairs[2]) {
    const uint8_t* digits = t.activations[column / T::kHalves] + block * T::kDigits * kBlockCols +
                            column % T::kHalves * 2 * kBlockCols;
    const __m256i low = _mm256_loadu_si256((const __m256i*)digits);
    pairs[0] = _mm256_srai_epi16(_mm256_slli_epi16(low, 8), 8);
    pairs[1] = _mm256_srai_epi16(low, 8);
    if constexpr (T::kDigits > 1) {
      const __m256i high = _mm256_loadu_si256((const __m256i*)(digits + kBlockCols));
      const __m256i high_bytes = _mm256_set1_epi16((short)0xff00);
      pairs[0] = _mm256_add_epi16(pairs[0], _mm256_slli_epi16(high, 8));
      pairs[1] = _mm256_add_epi16(pairs[1], _mm256_and_si256(high, high_bytes));
    }
  }
};

}  // namespace
}  // namespace pbatch
