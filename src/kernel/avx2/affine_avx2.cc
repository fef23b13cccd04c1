// Affine codes of activations on AVX2: the float operations of affine_generic.cc.
#include <immintrin.h>
#include <stdint.h>

#include "kernel/kernel.h"

namespace pbatch {
namespace {

const int64_t kLanes = 8;

// The first `count` of eight floats, the others zero.
inline __m256 load_first(const float* x, int64_t count) {
  const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const int lanes = count >= kLanes ? kLanes : count > 0 ? (int)count : 0;
  return _mm256_maskload_ps(x, _mm256_cmpgt_epi32(_mm256_set1_epi32(lanes), index));
}

struct Extremes {
  __m256 low, high;
  __m256i magnitude;  // as bits
};

inline void add(Extremes* e, __m256 x) {
  const __m256i mask = _mm256_set1_epi32(0x7fffffff);
  e->low = _mm256_min_ps(e->low, x);
  e->high = _mm256_max_ps(e->high, x);
  e->magnitude = _mm256_max_epu32(e->magnitude, _mm256_and_si256(_mm256_castps_si256(x), mask));
}

inline float least(__m256 v) {
  __m128 some = _mm_min_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  some = _mm_min_ps(some, _mm_movehl_ps(some, some));
  return _mm_cvtss_f32(_mm_min_ss(some, _mm_shuffle_ps(some, some, 1)));
}

inline uint32_t greatest(__m256i v) {
  __m128i some = _mm_max_epu32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  some = _mm_max_epu32(some, _mm_shuffle_epi32(some, 0x4e));
  some = _mm_max_epu32(some, _mm_shuffle_epi32(some, 0xb1));
  return (uint32_t)_mm_cvtsi128_si32(some);
}

inline __m256i round_even(__m256 v) {
  return _mm256_cvttps_epi32(_mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

// The packs stop at 127, and work within 128-bit lanes: quads come as 0 2 4 6, 1 3 5 7.
inline __m256i code_32(const __m256i v[4]) {
  const __m256i bytes =
      _mm256_packs_epi16(_mm256_packs_epi32(v[0], v[1]), _mm256_packs_epi32(v[2], v[3]));
  return _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

}  // namespace

int affine_avx2_run(const float* x, int64_t count, int8_t* out, float* scale, int32_t* zero) {
  const __m256 zeros = _mm256_setzero_ps();
  Extremes e[2] = {{zeros, zeros, _mm256_setzero_si256()}, {zeros, zeros, _mm256_setzero_si256()}};
  int64_t i = 0;
  for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
    add(&e[0], _mm256_loadu_ps(x + i));
    add(&e[1], _mm256_loadu_ps(x + i + kLanes));
  }
  for (; i < count; i += kLanes) add(&e[0], load_first(x + i, count - i));
  if (greatest(_mm256_max_epu32(e[0].magnitude, e[1].magnitude)) >= 0x7f800000u) return 0;
  const float low = least(_mm256_min_ps(e[0].low, e[1].low));
  const float high = -least(_mm256_sub_ps(zeros, _mm256_max_ps(e[0].high, e[1].high)));
  const AffineCode code = affine_code(low, high);
  *scale = code.scale;
  const __m256 inverse = _mm256_set1_ps(code.inverse);
  *zero = _mm256_cvtsi256_si32(round_even(_mm256_mul_ps(_mm256_set1_ps(low), inverse))) + 127;
  const __m256i shift = _mm256_set1_epi32(*zero);
  for (i = 0; i < count; i += 4 * kLanes) {
    __m256i v[4];
    const bool whole = i + 4 * kLanes <= count;
    for (int k = 0; k < 4; ++k) {
      const float* from = x + i + k * kLanes;
      const __m256 floats =
          whole ? _mm256_loadu_ps(from) : load_first(from, count - i - k * kLanes);
      v[k] = _mm256_sub_epi32(round_even(_mm256_mul_ps(floats, inverse)), shift);
    }
    const __m256i bytes = code_32(v);
    if (whole) {
      _mm256_storeu_si256((__m256i*)(out + i), bytes);
      continue;
    }
    alignas(32) int8_t last[4 * kLanes];
    _mm256_store_si256((__m256i*)last, bytes);
    for (int64_t k = 0; k < count - i; ++k) out[i + k] = last[k];
  }
  return 1;
}

}  // namespace pbatch
