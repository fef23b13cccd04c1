// Fields on AVX2 without VNNI: whole weights (kLayoutFields) in bytes of their own meet byte digits
// in VPMADDUBSW, whose 16-bit sums of two products are added as long as they fit 16 bits. Only
// weights of 8 planes are too wide for that: as 16-bit words they meet whole halves in VPMADDWD.
#include <immintrin.h>
#include <stdint.h>

#include "kernel/fields256.h"

namespace pbatch {
namespace {

const int kRunBlocks = 4;  // at most

// The sum as it is now: GCC would else collect the products of many steps before it adds them, and
// registers are too few for that.
inline __m256i in_register(__m256i sum) {
  __asm__("" : "+x"(sum));
  return sum;
}

// Each field masked out on its own, at most 15; or F = 8 and at most 7 planes. kSteps sums of two
// products fit a signed 16-bit word: kSteps * 2 * 128 * field <= 32768.
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
    if constexpr (T::kFieldBits == 8) return bytes;
    constexpr bool kUpper = T::kFieldBits * (m + 1) <= 4;
    const int mask = ((1 << T::kFieldBits) - 1) << place_in_nibble<T>(m);
    return _mm256_and_si256(kUpper ? _mm256_srli_epi16(bytes, 4) : bytes,
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
  template <class T>
  static constexpr int place_in_nibble(int m) {
    return (8 - T::kFieldBits * (m + 1)) % 4;
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

// F = 8, 8 planes.
struct Words {
  static constexpr int kPassSums = 8, kVectors = 4;
  static constexpr int bands(int field_bits, int digits) {
    return field_bits > 2 * digits ? field_bits / (2 * digits) : 1;
  }
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

void fields_avx2_run(const BitKernelArgs* args, int64_t row_block_begin, int64_t row_block_end) {
  if (row_block_begin >= row_block_end) return;
  switch (args->field_bits) {
    case 1:
      return run_field_width<Bytes<8>, 1>(args, row_block_begin, row_block_end);
    case 2:
      return run_field_width<Bytes<8>, 2>(args, row_block_begin, row_block_end);
    case 4:
      return run_field_width<Bytes<8>, 4>(args, row_block_begin, row_block_end);
  }
  switch (args->n_planes) {
    case 8:
      return run_field_width<Words, 8>(args, row_block_begin, row_block_end);
    case 7:
      return run_field_width<Bytes<1>, 8>(args, row_block_begin, row_block_end);
    case 6:
      return run_field_width<Bytes<2>, 8>(args, row_block_begin, row_block_end);
    case 5:
      return run_field_width<Bytes<4>, 8>(args, row_block_begin, row_block_end);
    default:
      return run_field_width<Bytes<8>, 8>(args, row_block_begin, row_block_end);
  }
}

}  // namespace pbatch
