// Activation quantizer on AVX-512; the same float operations as quantize_generic.cc, but that the
// limits apply before rounding, which is the same for limits that are integers.
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

namespace pbatch {
namespace {

const int64_t kLanes = 16;

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

struct Scaling {
  __m512 inverse, qmax, qmin;
};

inline __m512i quantize_sixteen(__m512 x, const Scaling& s) {
  const __m512 v = _mm512_mul_ps(x, s.inverse);
  return _mm512_cvt_roundps_epi32(_mm512_max_ps(_mm512_min_ps(v, s.qmax), s.qmin),
                                  _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

// Sums of q, or of its two halves.
struct Sums {
  __m512i first, second;
};

template <bool kHalves>
inline void add_to_sums(__m512i q, Sums& sums) {
  if constexpr (kHalves) {
    const __m512i high = _mm512_srai_epi32(_mm512_add_epi32(q, _mm512_set1_epi32(16384)), 15);
    sums.first = _mm512_add_epi32(sums.first, high);
    sums.second = _mm512_add_epi32(sums.second, _mm512_sub_epi32(q, _mm512_slli_epi32(high, 15)));
  } else {
    sums.first = _mm512_add_epi32(sums.first, q);
  }
}

template <bool kHalves>
void quantize(const float* x, int64_t cols, int64_t col_blocks, int run_blocks,
              const Scaling& scaling, int32_t* q, int32_t* run_sums) {
  const int64_t runs = (col_blocks + run_blocks - 1) / run_blocks;
  const int64_t padded_cols = col_blocks * kBlockCols;
  for (int64_t run = 0; run < runs; ++run) {
    const int64_t begin = run * run_blocks * kBlockCols;
    const int64_t wanted = begin + (int64_t)run_blocks * kBlockCols;
    const int64_t end = wanted < padded_cols ? wanted : padded_cols;
    Sums sums = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    int64_t c = begin;
    for (; c < end && c + kLanes <= cols; c += kLanes) {
      const __m512i v = quantize_sixteen(_mm512_loadu_ps(x + c), scaling);
      _mm512_storeu_si512(q + c, v);
      add_to_sums<kHalves>(v, sums);
    }
    for (; c < end; c += kLanes) {
      const __m512 some = _mm512_maskz_loadu_ps(first_lanes(cols - c), x + c);
      const __m512i v = quantize_sixteen(some, scaling);
      _mm512_storeu_si512(q + c, v);
      add_to_sums<kHalves>(v, sums);
    }
    run_sums[run] = _mm512_reduce_add_epi32(sums.first);
    if constexpr (kHalves) run_sums[runs + run] = _mm512_reduce_add_epi32(sums.second);
  }
}

}  // namespace

int quantize_avx512_run(const float* x, int64_t cols, int64_t col_blocks, int run_blocks,
                        int activation_bits, int32_t* q, int32_t* run_sums, float* scale) {
  const uint32_t max_bits = max_magnitude_bits(x, cols);
  const uint32_t infinity_bits = 0x7f800000u;
  if (max_bits >= infinity_bits) return 0;
  float max;
  memcpy(&max, &max_bits, sizeof max);

  const float qmax = (float)activation_qmax(activation_bits);
  const bool zeros = max < 0x1p-90f;
  *scale = zeros ? 0.0f : max / qmax;
  const Scaling scaling = {_mm512_set1_ps(zeros ? 0.0f : qmax / max), _mm512_set1_ps(qmax),
                           _mm512_set1_ps(-qmax)};
  if (activation_bits == 32) {
    quantize<true>(x, cols, col_blocks, run_blocks, scaling, q, run_sums);
  } else {
    quantize<false>(x, cols, col_blocks, run_blocks, scaling, q, run_sums);
  }
  return 1;
}

}  // namespace pbatch
