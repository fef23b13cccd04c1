// Activation quantizer on AVX-512; the float operations of quantize_generic.cc, but that the limits
// apply before rounding, which is the same for limits that are integers.
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"
#include "kernel/quantize_driver.h"

namespace pbatch {
namespace {

const int64_t kLanes = 16;
const int64_t kChunkBlocks = 16;  // whose sums are reduced together

inline __mmask16 first_lanes(int64_t count) {
  return (__mmask16)(count >= kLanes ? 0xffff : count > 0 ? (1 << count) - 1 : 0);
}

// Bits of the largest magnitude; as integers they compare as the floats do, and NaN above all.
uint32_t max_magnitude_bits(const float* x, int64_t cols) {
  const __m512i mask = _mm512_set1_epi32(0x7fffffff);
  __m512i max[4];
  for (int k = 0; k < 4; ++k) max[k] = _mm512_setzero_si512();
  int64_t c = 0;
  for (; c + 4 * kLanes <= cols; c += 4 * kLanes) {
    for (int k = 0; k < 4; ++k) {
      const __m512i bits = _mm512_loadu_si512(x + c + k * kLanes);
      max[k] = _mm512_max_epu32(max[k], _mm512_and_si512(bits, mask));
    }
  }
  for (; c < cols; c += kLanes) {
    const __m512i bits = _mm512_maskz_loadu_epi32(first_lanes(cols - c), x + c);
    max[0] = _mm512_max_epu32(max[0], _mm512_and_si512(bits, mask));
  }
  const __m512i pairs = _mm512_max_epu32(max[0], max[1]);
  return _mm512_reduce_max_epu32(_mm512_max_epu32(pairs, _mm512_max_epu32(max[2], max[3])));
}

// Only 2^29 needs the limit: with the others the product, off by two roundings, still rounds to
// qmax.
template <int A>
inline __m512i quantize_sixteen(__m512 x, __m512 inverse) {
  __m512 v = _mm512_mul_ps(x, inverse);
  if (A == 32) {
    const __m512 qmax = _mm512_set1_ps((float)activation_qmax(A));
    v = _mm512_max_ps(_mm512_min_ps(v, qmax), _mm512_sub_ps(_mm512_setzero_ps(), qmax));
  }
  return _mm512_cvt_roundps_epi32(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

// 32 numbers of 16 bits in their order: first their low bytes, then their high ones.
inline __m512i split_bytes(__m512i first, __m512i second) {
  // The pack works within 128-bit lanes.
  alignas(64) static const uint8_t kOrder[64] = {
      0,  2,  4,  6,  16, 18, 20, 22, 32, 34, 36, 38, 48, 50, 52, 54, 8,  10, 12, 14, 24, 26,
      28, 30, 40, 42, 44, 46, 56, 58, 60, 62, 1,  3,  5,  7,  17, 19, 21, 23, 33, 35, 37, 39,
      49, 51, 53, 55, 9,  11, 13, 15, 25, 27, 29, 31, 41, 43, 45, 47, 57, 59, 61, 63};
  // Rounds the high byte: adds 128 and takes back what that did to the low one.
  const __m512i half = _mm512_set1_epi16(128);
  const __m512i words = _mm512_packs_epi32(first, second);
  const __m512i digits = _mm512_xor_si512(_mm512_add_epi16(words, half), half);
  return _mm512_permutexvar_epi8(_mm512_load_si512(kOrder), digits);
}

// One block: stored in the layout; its sum is that of the lanes of sums[0], or of its halves
// sums[0] and sums[kChunkBlocks].
template <int A, ActivationLayout layout>
inline void finish_block(__m512i first, __m512i second, uint8_t* out, __m512i* sums) {
  if (layout == kActivationNumbers) {
    _mm512_store_si512(out, first);
    _mm512_store_si512(out + 64, second);
  }
  if (A == 32) {
    const __m512i round = _mm512_set1_epi32(16384);
    const __m512i high0 = _mm512_srai_epi32(_mm512_add_epi32(first, round), 15);
    const __m512i high1 = _mm512_srai_epi32(_mm512_add_epi32(second, round), 15);
    const __m512i low0 = _mm512_sub_epi32(first, _mm512_slli_epi32(high0, 15));
    const __m512i low1 = _mm512_sub_epi32(second, _mm512_slli_epi32(high1, 15));
    sums[0] = _mm512_add_epi32(high0, high1);
    sums[kChunkBlocks] = _mm512_add_epi32(low0, low1);
    if (layout == kActivationDigits) {
      _mm512_store_si512(out, split_bytes(high0, high1));
      _mm512_store_si512(out + 64, split_bytes(low0, low1));
    }
    return;
  }
  sums[0] = _mm512_add_epi32(first, second);
  if (layout != kActivationDigits) return;
  const __m512i digits = split_bytes(first, second);
  if (A == 8) _mm256_store_si256((__m256i*)out, _mm512_castsi512_si256(digits));
  if (A == 16) _mm512_store_si512(out, digits);
}

// Two vectors become one, whose 256-bit halves sum up to theirs; then 128-bit lanes, 64 and 32
// bits.
inline __m512i add_lane_pairs(__m512i a, __m512i b) {
  return _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x44), _mm512_shuffle_i32x4(a, b, 0xee));
}
inline __m512i add_lanes(__m512i a, __m512i b) {
  return _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xdd));
}
inline __m512i add_quads(__m512i a, __m512i b) {
  return _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
}
inline __m512i add_pairs(__m512i a, __m512i b) {
  return _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
}

// Lane i of the result is the sum of the lanes of v[i].
inline __m512i sum_each(const __m512i* v) {
  __m512i w[4];
  for (int i = 0; i < 4; ++i) {
    w[i] = add_lanes(add_lane_pairs(v[i], v[i + 4]), add_lane_pairs(v[i + 8], v[i + 12]));
  }
  return add_pairs(add_quads(w[0], w[1]), add_quads(w[2], w[3]));
}

// From the sums of `blocks` blocks, at most 16, to those of runs. The lanes beyond are zeros.
inline void store_runs(__m512i sums, int64_t blocks, int run_blocks, int32_t* out) {
  if (run_blocks == 1) return _mm512_mask_storeu_epi32(out, first_lanes(blocks), sums);
  const __m256i twos = _mm512_cvtepi64_epi32(_mm512_add_epi32(sums, _mm512_srli_epi64(sums, 32)));
  if (run_blocks == 2) {
    return _mm256_mask_storeu_epi32(out, (__mmask8)first_lanes((blocks + 1) / 2), twos);
  }
  const __m128i fours = _mm256_cvtepi64_epi32(_mm256_add_epi32(twos, _mm256_srli_epi64(twos, 32)));
  _mm_mask_storeu_epi32(out, (__mmask8)first_lanes((blocks + 3) / 4), fours);
}

template <int A, ActivationLayout layout>
void quantize(const float* x, int64_t cols, int64_t col_blocks, int run_blocks, float factor,
              uint8_t* out, int32_t* run_sums) {
  const int64_t block_bytes = kBlockCols * (layout == kActivationNumbers ? 4 : A / 8);
  const int64_t runs = (col_blocks + run_blocks - 1) / run_blocks;
  const __m512 inverse = _mm512_set1_ps(factor);
  for (int64_t begin = 0; begin < col_blocks; begin += kChunkBlocks) {
    const int64_t left = col_blocks - begin, whole = cols / kBlockCols - begin;
    const int64_t blocks = left < kChunkBlocks ? left : kChunkBlocks;
    __m512i sums[2 * kChunkBlocks];
    int64_t b = 0;
    for (; b < kChunkBlocks && b < whole; ++b) {
      const float* from = x + (begin + b) * kBlockCols;
      finish_block<A, layout>(quantize_sixteen<A>(_mm512_loadu_ps(from), inverse),
                              quantize_sixteen<A>(_mm512_loadu_ps(from + kLanes), inverse),
                              out + (begin + b) * block_bytes, sums + b);
    }
    for (; b < blocks; ++b) {
      const int64_t c = (begin + b) * kBlockCols;
      const __m512 first = _mm512_maskz_loadu_ps(first_lanes(cols - c), x + c);
      const __m512 second = _mm512_maskz_loadu_ps(first_lanes(cols - c - kLanes), x + c + kLanes);
      finish_block<A, layout>(quantize_sixteen<A>(first, inverse),
                              quantize_sixteen<A>(second, inverse), out + (begin + b) * block_bytes,
                              sums + b);
    }
    for (; b < kChunkBlocks; ++b) sums[b] = sums[kChunkBlocks + b] = _mm512_setzero_si512();
    store_runs(sum_each(sums), blocks, run_blocks, run_sums + begin / run_blocks);
    if (A == 32) {
      store_runs(sum_each(sums + kChunkBlocks), blocks, run_blocks,
                 run_sums + runs + begin / run_blocks);
    }
  }
  if (layout == kActivationDigits && A == 8 && col_blocks % 2 != 0) {
    _mm256_store_si256((__m256i*)(out + col_blocks * block_bytes), _mm256_setzero_si256());
  }
}

}  // namespace

int quantize_avx512_run(const float* x, int64_t cols, int64_t col_blocks, int run_blocks,
                        int activation_bits, ActivationLayout layout, uint8_t* out,
                        int32_t* run_sums, float* scale) {
  static const QuantizeLoop kLoops[3][2] = {
      {quantize<8, kActivationNumbers>, quantize<8, kActivationDigits>},
      {quantize<16, kActivationNumbers>, quantize<16, kActivationDigits>},
      {quantize<32, kActivationNumbers>, quantize<32, kActivationDigits>}};
  return run_quantize_loop(kLoops, max_magnitude_bits(x, cols), x, cols, col_blocks, run_blocks,
                           activation_bits, layout, out, run_sums, scale);
}

}  // namespace pbatch
