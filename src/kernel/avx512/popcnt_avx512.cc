// AND+popcount, the paper's kernel, on AVX-512: a 32-bit lane is a row of a 16 x 32 block, VPANDD
// meets it with a plane of the activations and VPOPCNTD counts. Numbers are in two's complement, so
// the top plane of a half counts negative.
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

namespace pbatch {
namespace {

// Adds to sum[i] the counts of activation plane i, for a block of one plane.
template <int A>
inline void count_planes(__m512i rows, const uint8_t* words, __m512i sum[A]) {
  for (int i = 0; i < A; ++i) {
    int32_t word;
    memcpy(&word, words + 4 * i, sizeof word);
    const __m512i both = _mm512_and_si512(rows, _mm512_set1_epi32(word));
    sum[i] = _mm512_add_epi32(sum[i], _mm512_popcnt_epi32(both));
  }
}

// The sum over one run of u * x, x being what A activation planes spell. Per weight plane the A
// counts are kept apart and weighed once.
template <int A>
inline __m512i run_products(const BitKernelArgs* args, int64_t first_block, int64_t blocks,
                            const uint8_t* words, int64_t word_stride) {
  __m512i total = _mm512_setzero_si512();
  for (int plane = 0; plane < args->n_planes; ++plane) {
    const uint8_t* p = args->planes[plane] + first_block * kBlockBytes;
    __m512i sum[A];
    for (int i = 0; i < A; ++i) sum[i] = _mm512_setzero_si512();
    for (int64_t b = 0; b < blocks; ++b) {
      count_planes<A>(_mm512_loadu_si512(p + b * kBlockBytes), words + b * word_stride, sum);
    }
    __m512i product = _mm512_sub_epi32(_mm512_setzero_si512(), sum[A - 1]);
    for (int i = A - 2; i >= 0; --i) {
      product = _mm512_add_epi32(_mm512_add_epi32(product, product), sum[i]);
    }
    total = _mm512_add_epi32(_mm512_add_epi32(total, total), product);
  }
  return total;
}

template <int A>
void run_half(const BitKernelArgs* args, int64_t begin, int64_t end, int64_t vector, int half) {
  const int halves = activation_halves(args->activation_bits);
  const int64_t runs = (args->col_blocks + args->run_blocks - 1) / args->run_blocks;
  const int64_t word_stride = (int64_t)halves * A * 4;
  const uint8_t* words = args->activations + vector * args->activation_stride + half * A * 4;
  const int32_t* run_sums = args->run_sums + (vector * halves + half) * runs;
  float* out = args->acc + (vector * halves + half) * args->acc_stride;
  const int32_t top = (1 << args->n_planes) - 1;
  for (int64_t row_block = begin; row_block < end; ++row_block) {
    __m512 acc = _mm512_setzero_ps();
    for (int64_t run = 0; run < runs; ++run) {
      const int64_t first = run * args->run_blocks;
      const int64_t left = args->col_blocks - first;
      const int64_t blocks = left < args->run_blocks ? left : args->run_blocks;
      const __m512i total = run_products<A>(args, row_block * args->col_blocks + first, blocks,
                                            words + first * word_stride, word_stride);
      const __m512i s =
          _mm512_sub_epi32(_mm512_add_epi32(total, total), _mm512_set1_epi32(top * run_sums[run]));
      const uint8_t* scales = args->scales + (row_block * runs + run) * kBlockRows;
      const __m512 scale =
          _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i*)scales)));
      acc = _mm512_add_ps(acc, _mm512_mul_ps(_mm512_cvtepi32_ps(s), scale));
    }
    _mm512_storeu_ps(out + row_block * kBlockRows, acc);
  }
}

}  // namespace

void popcnt_avx512_run(const BitKernelArgs* args, int64_t row_block_begin, int64_t row_block_end) {
  for (int64_t vector = 0; vector < args->batch; ++vector) {
    if (args->activation_bits == 8) {
      run_half<8>(args, row_block_begin, row_block_end, vector, 0);
      continue;
    }
    for (int half = 0; half < activation_halves(args->activation_bits); ++half) {
      run_half<16>(args, row_block_begin, row_block_end, vector, half);
    }
  }
}

}  // namespace pbatch
