// Activation quantizer on AVX2; the same float operations in the same order as quantize_generic.cc.
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

namespace pbatch {
namespace {

const int64_t kLanes = 8;

// The first `count` of eight floats; the others are zero and their memory is not touched.
inline __m256 load_first(const float* x, int64_t count) {
  const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), index);
  return _mm256_maskload_ps(x, mask);
}

// Bits of the largest magnitude; as integers they compare as the floats do, and NaN above all.
uint32_t max_magnitude_bits(const float* x, int64_t cols) {
  const __m256i mask = _mm256_set1_epi32(0x7fffffff);
  __m256i max[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
  int64_t c = 0;
  for (; c + 2 * kLanes <= cols; c += 2 * kLanes) {
    for (int k = 0; k < 2; ++k) {
      const __m256i bits = _mm256_castps_si256(_mm256_loadu_ps(x + c + k * kLanes));
      max[k] = _mm256_max_epu32(max[k], _mm256_and_si256(bits, mask));
    }
  }
  for (; c < cols; c += kLanes) {
    const int64_t left = cols - c < kLanes ? cols - c : kLanes;
    const __m256i bits = _mm256_castps_si256(load_first(x + c, left));
    max[0] = _mm256_max_epu32(max[0], _mm256_and_si256(bits, mask));
  }
  uint32_t lanes[kLanes];
  _mm256_storeu_si256((__m256i*)lanes, _mm256_max_epu32(max[0], max[1]));
  uint32_t result = 0;
  for (int k = 0; k < kLanes; ++k) result = lanes[k] > result ? lanes[k] : result;
  return result;
}

inline __m256i quantize_eight(__m256 x, __m256 inverse, __m256 qmax, __m256 qmin) {
  const __m256 v =
      _mm256_round_ps(_mm256_mul_ps(x, inverse), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  return _mm256_cvttps_epi32(_mm256_max_ps(_mm256_min_ps(v, qmax), qmin));
}

int32_t sum_lanes(__m256i v) {
  int32_t lanes[kLanes];
  _mm256_storeu_si256((__m256i*)lanes, v);
  int32_t sum = 0;
  for (int k = 0; k < kLanes; ++k) sum += lanes[k];
  return sum;
}

// Sums of one run of whole blocks: of q itself if low_result is null, else of its two halves.
void sum_run(const int32_t* q, int64_t cols, int32_t* result, int32_t* low_result) {
  __m256i sum = _mm256_setzero_si256(), low_sum = _mm256_setzero_si256();
  for (int64_t c = 0; c < cols; c += kLanes) {
    const __m256i v = _mm256_loadu_si256((const __m256i*)(q + c));
    if (low_result != NULL) {
      const __m256i high = _mm256_srai_epi32(_mm256_add_epi32(v, _mm256_set1_epi32(16384)), 15);
      sum = _mm256_add_epi32(sum, high);
      low_sum = _mm256_add_epi32(low_sum, _mm256_sub_epi32(v, _mm256_slli_epi32(high, 15)));
    } else {
      sum = _mm256_add_epi32(sum, v);
    }
  }
  *result = sum_lanes(sum);
  if (low_result != NULL) *low_result = sum_lanes(low_sum);
}

}  // namespace

int quantize_avx2_run(const float* x, int64_t cols, int64_t col_blocks, int run_blocks,
                      int activation_bits, int32_t* q, int32_t* run_sums, float* scale) {
  const uint32_t max_bits = max_magnitude_bits(x, cols);
  const uint32_t infinity_bits = 0x7f800000u;
  if (max_bits >= infinity_bits) return 0;
  float max;
  memcpy(&max, &max_bits, sizeof max);

  const int64_t padded_cols = col_blocks * kBlockCols;
  const float qmax = (float)activation_qmax(activation_bits);
  if (max < 0x1p-90f) {
    *scale = 0.0f;
    memset(q, 0, (size_t)padded_cols * sizeof *q);
  } else {
    *scale = max / qmax;
    const __m256 inverse = _mm256_set1_ps(qmax / max);
    const __m256 upper = _mm256_set1_ps(qmax), lower = _mm256_set1_ps(-qmax);
    int64_t c = 0;
    for (; c + kLanes <= cols; c += kLanes) {
      _mm256_storeu_si256((__m256i*)(q + c),
                          quantize_eight(_mm256_loadu_ps(x + c), inverse, upper, lower));
    }
    for (; c < padded_cols; c += kLanes) {
      const int64_t left = cols > c ? cols - c : 0;
      _mm256_storeu_si256((__m256i*)(q + c),
                          quantize_eight(load_first(x + c, left), inverse, upper, lower));
    }
  }

  const int64_t runs = (col_blocks + run_blocks - 1) / run_blocks;
  for (int64_t run = 0; run < runs; ++run) {
    const int64_t begin = run * run_blocks * kBlockCols;
    const int64_t left = padded_cols - begin;
    const int64_t run_cols = (int64_t)run_blocks * kBlockCols;
    sum_run(q + begin, left < run_cols ? left : run_cols, run_sums + run,
            activation_bits == 32 ? run_sums + runs + run : NULL);
  }
  return 1;
}

}  // namespace pbatch
