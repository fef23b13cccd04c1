// AND+popcount on AVX2: bits are counted four at a time by byte shuffles, whose tables hold the
// count times the weight of the activation plane.
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

namespace pbatch {
namespace {

// Nibbles of one plane word of sixteen rows.
struct Nibbles {
  __m256i low[2], high[2];
};

inline Nibbles load_nibbles(const uint8_t* block) {
  const __m256i mask = _mm256_set1_epi8(0x0f);
  Nibbles n;
  for (int v = 0; v < 2; ++v) {
    const __m256i w = _mm256_loadu_si256((const __m256i*)(block + 32 * v));
    n.low[v] = _mm256_and_si256(w, mask);
    n.high[v] = _mm256_and_si256(_mm256_srli_epi16(w, 4), mask);
  }
  return n;
}

// Table of weight * (number of ones of the index).
inline __m256i count_table(int weight) {
  const __m256i counts = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,  //
                                          0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
  __m256i table = _mm256_setzero_si256();
  const int magnitude = weight < 0 ? -weight : weight;
  for (int i = 0; i < magnitude; ++i) table = _mm256_add_epi8(table, counts);
  return weight < 0 ? _mm256_sub_epi8(_mm256_setzero_si256(), table) : table;
}

// Adds the weighted count of one activation plane to the byte sums.
inline void count_plane(const Nibbles& w, uint32_t x, __m256i table, __m256i bytes[2]) {
  const __m256i x_low = _mm256_set1_epi32((int)x);
  const __m256i x_high = _mm256_srli_epi32(x_low, 4);  // what it shifts in, w.high masks out
  for (int v = 0; v < 2; ++v) {
    const __m256i low = _mm256_shuffle_epi8(table, _mm256_and_si256(w.low[v], x_low));
    const __m256i high = _mm256_shuffle_epi8(table, _mm256_and_si256(w.high[v], x_high));
    bytes[v] = _mm256_add_epi8(bytes[v], _mm256_add_epi8(low, high));
  }
}

struct Tables {
  __m256i one, two, four, eight, minus_eight;
};

inline Tables make_tables() {
  return {count_table(1), count_table(2), count_table(4), count_table(8), count_table(-8)};
}

// The sum of w * x for eight activation planes, as 16-bit words, two to a row: |word| <= 2 * 8 *
// 255. Four planes fill a signed byte: within -64 .. 56 with the negative top plane, else 0 .. 120.
inline void weigh_eight_planes(const Nibbles& w, const uint32_t* x, __m256i top_table,
                               const Tables& tables, __m256i words[2]) {
  __m256i upper[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
  __m256i lower[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
  count_plane(w, x[7], top_table, upper);
  count_plane(w, x[6], tables.four, upper);
  count_plane(w, x[5], tables.two, upper);
  count_plane(w, x[4], tables.one, upper);
  count_plane(w, x[3], tables.eight, lower);
  count_plane(w, x[2], tables.four, lower);
  count_plane(w, x[1], tables.two, lower);
  count_plane(w, x[0], tables.one, lower);
  const __m256i ones = _mm256_set1_epi8(1);
  for (int v = 0; v < 2; ++v) {
    const __m256i high = _mm256_slli_epi16(_mm256_maddubs_epi16(ones, upper[v]), 4);
    words[v] = _mm256_add_epi16(high, _mm256_maddubs_epi16(ones, lower[v]));
  }
}

// Adds to total the sum over one run of u * x, x being the number that eight activation planes
// spell; top_table gives the weight of the highest of them.
inline void run_products(const BitKernelArgs* args, int64_t first_block, int64_t blocks,
                         const uint32_t* x, int64_t x_stride, __m256i top_table,
                         const Tables& tables, __m256i total[2]) {
  for (int64_t b = 0; b < blocks; ++b) {
    for (int i = 0; i < args->n_planes; ++i) {
      const Nibbles w = load_nibbles(args->planes[i] + (first_block + b) * kBlockBytes);
      const __m256i plane_weight = _mm256_set1_epi16((int16_t)(1 << (args->n_planes - 1 - i)));
      __m256i words[2];
      weigh_eight_planes(w, x + b * x_stride, top_table, tables, words);
      for (int v = 0; v < 2; ++v) {
        total[v] = _mm256_add_epi32(total[v], _mm256_madd_epi16(words[v], plane_weight));
      }
    }
  }
}

// acc += (2 total - correction) * scale.
inline __m256 add_run(__m256i total, int32_t correction, const uint8_t* scales, __m256 acc) {
  const __m256i s = _mm256_sub_epi32(_mm256_add_epi32(total, total), _mm256_set1_epi32(correction));
  const __m256i scale = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)scales));
  return _mm256_add_ps(acc, _mm256_mul_ps(_mm256_cvtepi32_ps(s), _mm256_cvtepi32_ps(scale)));
}

void run_row_block(const BitKernelArgs* args, int64_t row_block, const uint8_t* vector,
                   const int32_t* run_sums, int half, float* acc) {
  const int planes = args->activation_bits == 8 ? 8 : 16;
  const int64_t x_stride = (int64_t)planes * activation_halves(args->activation_bits);
  const uint32_t* x = (const uint32_t*)vector + half * planes;
  const int32_t top = (1 << args->n_planes) - 1;
  const int64_t runs = (args->col_blocks + args->run_blocks - 1) / args->run_blocks;
  const Tables tables = make_tables();
  __m256 sums[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
  for (int64_t run = 0; run < runs; ++run) {
    const int64_t begin = run * args->run_blocks;
    const int64_t left = args->col_blocks - begin;
    const int64_t blocks = left < args->run_blocks ? left : args->run_blocks;
    const int64_t first_block = row_block * args->col_blocks + begin;
    const uint32_t* run_x = x + begin * x_stride;
    __m256i total[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    run_products(args, first_block, blocks, run_x + planes - 8, x_stride, tables.minus_eight,
                 tables, total);
    if (planes == 16) {
      for (int v = 0; v < 2; ++v) total[v] = _mm256_slli_epi32(total[v], 8);
      run_products(args, first_block, blocks, run_x, x_stride, tables.eight, tables, total);
    }
    const uint8_t* scales = args->scales + (row_block * runs + run) * kBlockRows;
    for (int v = 0; v < 2; ++v) {
      sums[v] = add_run(total[v], top * run_sums[run], scales + 8 * v, sums[v]);
    }
  }
  _mm256_storeu_ps(acc + row_block * kBlockRows, sums[0]);
  _mm256_storeu_ps(acc + row_block * kBlockRows + 8, sums[1]);
}

}  // namespace

void popcnt_avx2_run(const BitKernelArgs* args, int64_t row_block_begin, int64_t row_block_end) {
  const int halves = activation_halves(args->activation_bits);
  const int64_t runs = (args->col_blocks + args->run_blocks - 1) / args->run_blocks;
  for (int64_t row_block = row_block_begin; row_block < row_block_end; ++row_block) {
    for (int64_t vector = 0; vector < args->batch; ++vector) {
      for (int half = 0; half < halves; ++half) {
        const int64_t index = vector * halves + half;
        run_row_block(args, row_block, args->activations + vector * args->activation_stride,
                      args->run_sums + index * runs, half, args->acc + index * args->acc_stride);
      }
    }
  }
}

}  // namespace pbatch
