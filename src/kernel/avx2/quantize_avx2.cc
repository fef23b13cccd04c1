// Activation quantizer on AVX2; the float operations of quantize_generic.cc, but that the limits
// apply before rounding, which is the same for limits that are integers.
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"
#include "kernel/quantize_driver.h"

namespace pbatch {
namespace {

const int64_t kLanes = 8;
const int64_t kChunkBlocks = 8;  // whose sums are reduced together

// The first `count` of eight floats; the others are zero and their memory is not touched.
inline __m256 load_first(const float* x, int64_t count) {
  const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const int lanes = count >= kLanes ? kLanes : count > 0 ? (int)count : 0;
  return _mm256_maskload_ps(x, _mm256_cmpgt_epi32(_mm256_set1_epi32(lanes), index));
}

// Bits of the largest magnitude; as integers they compare as the floats do, and NaN above all.
uint32_t max_magnitude_bits(const float* x, int64_t cols) {
  const __m256i mask = _mm256_set1_epi32(0x7fffffff);
  __m256i max[4];
  for (int k = 0; k < 4; ++k) max[k] = _mm256_setzero_si256();
  int64_t c = 0;
  for (; c + 4 * kLanes <= cols; c += 4 * kLanes) {
    for (int k = 0; k < 4; ++k) {
      const __m256i bits = _mm256_castps_si256(_mm256_loadu_ps(x + c + k * kLanes));
      max[k] = _mm256_max_epu32(max[k], _mm256_and_si256(bits, mask));
    }
  }
  for (; c < cols; c += kLanes) {
    const __m256i bits = _mm256_castps_si256(load_first(x + c, cols - c));
    max[0] = _mm256_max_epu32(max[0], _mm256_and_si256(bits, mask));
  }
  const __m256i all =
      _mm256_max_epu32(_mm256_max_epu32(max[0], max[1]), _mm256_max_epu32(max[2], max[3]));
  __m128i some = _mm_max_epu32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
  some = _mm_max_epu32(some, _mm_shuffle_epi32(some, 0x4e));
  some = _mm_max_epu32(some, _mm_shuffle_epi32(some, 0xb1));
  return (uint32_t)_mm_cvtsi128_si32(some);
}

// Only 2^29 needs the limit: with the others the product, off by two roundings, still rounds to
// qmax.
template <int A>
inline __m256i quantize_eight(__m256 x, __m256 inverse) {
  __m256 v = _mm256_mul_ps(x, inverse);
  if (A == 32) {
    const __m256 qmax = _mm256_set1_ps((float)activation_qmax(A));
    v = _mm256_max_ps(_mm256_min_ps(v, qmax), _mm256_sub_ps(_mm256_setzero_ps(), qmax));
  }
  return _mm256_cvttps_epi32(_mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

// The packs work within 128-bit lanes: quads of bytes come as 0 2 4 6, 1 3 5 7.
inline void store_bytes(__m256i mixed, uint8_t* out) {
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  _mm256_store_si256((__m256i*)out, _mm256_permutevar8x32_epi32(mixed, order));
}

// The two digits of 32 numbers of 16 bits.
inline void store_digits(const __m256i v[4], uint8_t* out) {
  const __m256i low_byte = _mm256_set1_epi16(255), half = _mm256_set1_epi16(128);
  __m256i low[2], high[2];
  for (int k = 0; k < 2; ++k) {
    const __m256i words = _mm256_packs_epi32(v[2 * k], v[2 * k + 1]);
    low[k] = _mm256_and_si256(words, low_byte);
    high[k] = _mm256_srli_epi16(_mm256_add_epi16(words, half), 8);
  }
  store_bytes(_mm256_packus_epi16(low[0], low[1]), out);
  store_bytes(_mm256_packus_epi16(high[0], high[1]), out + kBlockCols);
}

inline __m256i sum_of(const __m256i v[4]) {
  return _mm256_add_epi32(_mm256_add_epi32(v[0], v[1]), _mm256_add_epi32(v[2], v[3]));
}

// One block: stored in the layout; its sum is that of the lanes of sums[0], or of its halves
// sums[0] and sums[kChunkBlocks].
template <int A, ActivationLayout layout>
inline void finish_block(const __m256i q[4], uint8_t* out, __m256i* sums) {
  if (layout == kActivationNumbers) {
    for (int k = 0; k < 4; ++k) _mm256_store_si256((__m256i*)(out + 32 * k), q[k]);
  }
  if (A == 32) {
    __m256i high[4], low[4];
    for (int k = 0; k < 4; ++k) {
      high[k] = _mm256_srai_epi32(_mm256_add_epi32(q[k], _mm256_set1_epi32(16384)), 15);
      low[k] = _mm256_sub_epi32(q[k], _mm256_slli_epi32(high[k], 15));
    }
    sums[0] = sum_of(high);
    sums[kChunkBlocks] = sum_of(low);
    if (layout == kActivationDigits) {
      store_digits(high, out);
      store_digits(low, out + 2 * kBlockCols);
    }
    return;
  }
  sums[0] = sum_of(q);
  if (layout != kActivationDigits) return;
  if (A == 8) {
    store_bytes(_mm256_packs_epi16(_mm256_packs_epi32(q[0], q[1]), _mm256_packs_epi32(q[2], q[3])),
                out);
  }
  if (A == 16) store_digits(q, out);
}

// Two vectors become one, whose 128-bit lanes sum up to theirs; then 64 and 32 bits.
inline __m256i add_lanes(__m256i a, __m256i b) {
  return _mm256_add_epi32(_mm256_permute2x128_si256(a, b, 0x20),
                          _mm256_permute2x128_si256(a, b, 0x31));
}
inline __m256i add_quads(__m256i a, __m256i b) {
  return _mm256_add_epi32(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
}
inline __m256i add_pairs(__m256i a, __m256i b) {
  return _mm256_add_epi32(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
}

// From the sums of `blocks` blocks, at most 8, to those of runs. Lane i sums up v[i]; those beyond
// are zeros.
inline void store_runs(const __m256i* v, int64_t blocks, int run_blocks, int32_t* out) {
  __m256i w[4];
  for (int i = 0; i < 4; ++i) w[i] = add_lanes(v[i], v[i + 4]);
  int32_t sums[kChunkBlocks];
  _mm256_storeu_si256((__m256i*)sums, add_pairs(add_quads(w[0], w[1]), add_quads(w[2], w[3])));
  for (int64_t b = 0; b < blocks; b += run_blocks) {
    int32_t sum = 0;
    for (int i = 0; i < run_blocks; ++i) sum += sums[b + i];
    *out++ = sum;
  }
}

template <int A, ActivationLayout layout>
void quantize(const float* x, int64_t cols, int64_t col_blocks, int run_blocks, float factor,
              uint8_t* out, int32_t* run_sums) {
  const int64_t block_bytes = kBlockCols * (layout == kActivationNumbers ? 4 : A / 8);
  const int64_t runs = (col_blocks + run_blocks - 1) / run_blocks;
  const __m256 inverse = _mm256_set1_ps(factor);
  for (int64_t begin = 0; begin < col_blocks; begin += kChunkBlocks) {
    const int64_t left = col_blocks - begin, whole = cols / kBlockCols - begin;
    const int64_t blocks = left < kChunkBlocks ? left : kChunkBlocks;
    __m256i sums[2 * kChunkBlocks];
    int64_t b = 0;
    for (; b < kChunkBlocks && b < whole; ++b) {
      const float* from = x + (begin + b) * kBlockCols;
      __m256i q[4];
      for (int k = 0; k < 4; ++k) {
        q[k] = quantize_eight<A>(_mm256_loadu_ps(from + k * kLanes), inverse);
      }
      finish_block<A, layout>(q, out + (begin + b) * block_bytes, sums + b);
    }
    for (; b < blocks; ++b) {
      const int64_t c = (begin + b) * kBlockCols;
      __m256i q[4];
      for (int k = 0; k < 4; ++k) {
        q[k] = quantize_eight<A>(load_first(x + c + k * kLanes, cols - c - k * kLanes), inverse);
      }
      finish_block<A, layout>(q, out + (begin + b) * block_bytes, sums + b);
    }
    for (; b < kChunkBlocks; ++b) sums[b] = sums[kChunkBlocks + b] = _mm256_setzero_si256();
    store_runs(sums, blocks, run_blocks, run_sums + begin / run_blocks);
    if (A == 32) {
      store_runs(sums + kChunkBlocks, blocks, run_blocks, run_sums + runs + begin / run_blocks);
    }
  }
  if (layout == kActivationDigits && A == 8 && col_blocks % 2 != 0) {
    _mm256_store_si256((__m256i*)(out + col_blocks * block_bytes), _mm256_setzero_si256());
  }
}

}  // namespace

int quantize_avx2_run(const float* x, int64_t cols, int64_t col_blocks, int run_blocks,
                      int activation_bits, ActivationLayout layout, uint8_t* out, int32_t* run_sums,
                      float* scale) {
  static const QuantizeLoop kLoops[3][2] = {
      {quantize<8, kActivationNumbers>, quantize<8, kActivationDigits>},
      {quantize<16, kActivationNumbers>, quantize<16, kActivationDigits>},
      {quantize<32, kActivationNumbers>, quantize<32, kActivationDigits>}};
  return run_quantize_loop(kLoops, max_magnitude_bits(x, cols), x, cols, col_blocks, run_blocks,
                           activation_bits, layout, out, run_sums, scale);
}

}  // namespace pbatch
