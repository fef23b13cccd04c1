// A blocked matrix product for batches, without VNNI: a row block is unpacked from fields to bytes,
// once for all vectors, and multiplied by VPMADDUBSW in register tiles.
//
// A column is one byte digit of one half of one vector; a half has D = 1 (A = 8) or 2 of them. A
// tile holds the 16-bit sums of two halves of the row block (8 rows each) times up to six columns
// in registers: they take kSteps products of pairs before VPMADDWD widens and adds them to the sums
// of the run in memory, which begin at -(2^p - 1) sum(q), so that they end as S of kernel.h. A
// weight of 7 or 8 planes is two parts, its upper and its lower four bits, one after the other.
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernel/avx2/registers.h"
#include "kernel/kernel.h"
#include "kernel/tiles.h"

namespace pbatch {
namespace {

const int kChunkBlocks = 16;  // column blocks of a panel
const int kMostColumns = 6;   // of a tile

// Some columns of a row block, as bytes and floats.
struct alignas(64) Panel {
  uint8_t weights[2][kChunkBlocks][8][64];  // [part][column block][v][row][4]
  float scales[kChunkBlocks][16];           // [run][row]
};

// What all tiles of a call share.
struct Product {
  const BitKernelArgs* args;
  int64_t runs;
  int halves;
  int64_t block_stride;  // bytes of a packed vector's column block
  int field;             // bits of a field
};

inline void unpack_part(const uint8_t* from, int64_t vectors, int shift, int mask, uint8_t* to) {
  const __m128i places = _mm_cvtsi32_si128(shift);
  const __m256i masks = _mm256_set1_epi8((char)mask);
  for (int64_t i = 0; i < vectors; ++i) {
    const __m256i bytes = _mm256_loadu_si256((const __m256i*)(from + 32 * i));
    const __m256i part = _mm256_and_si256(_mm256_srl_epi16(bytes, places), masks);
    _mm256_store_si256((__m256i*)(to + 32 * i), part);
  }
}

// Column blocks begin .. end - 1 of a row block, whose first run is run_begin.
template <int P>
inline void unpack(const Product& p, int64_t row_block, int64_t begin, int64_t end,
                   int64_t run_begin, int64_t run_end, Panel& panel) {
  const int band_size = 8 / p.field;
  const int64_t band = row_block / band_size, vectors = (end - begin) * 16;
  const int place = p.field * (band_size - 1 - (int)(row_block % band_size));
  const uint8_t* from = p.args->planes[0] + (band * p.args->col_blocks + begin) * kBandBlockBytes;
  if constexpr (P == 1) {
    unpack_part(from, vectors, place, (1 << p.args->n_planes) - 1, panel.weights[0][0][0]);
  } else {
    unpack_part(from, vectors, 4, 15, panel.weights[0][0][0]);
    unpack_part(from, vectors, 0, 15, panel.weights[1][0][0]);
  }
  unpack_scales(p.args->scales + (row_block * p.runs + run_begin) * kBlockRows,
                2 * (run_end - run_begin), panel.scales[0]);
}

// Four columns of eight rows and of the other eight, with C columns of activations.
template <int C, bool kFresh>
inline void multiply_four(const uint8_t* weights, const uint8_t* const* x, int64_t at,
                          __m256i words[2][C]) {
  const __m256i upper = _mm256_load_si256((const __m256i*)weights);
  const __m256i lower = _mm256_load_si256((const __m256i*)(weights + 32));
#pragma GCC unroll 6
  for (int c = 0; c < C; ++c) {
    int32_t four;
    memcpy(&four, x[c] + at, sizeof four);
    const __m256i digits = _mm256_set1_epi32(four);
    const __m256i above = _mm256_maddubs_epi16(upper, digits);
    words[0][c] = kFresh ? above : in_register(_mm256_add_epi16(words[0][c], above));
    const __m256i below = _mm256_maddubs_epi16(lower, digits);
    words[1][c] = kFresh ? below : in_register(_mm256_add_epi16(words[1][c], below));
  }
}

// Adds `factor` times the products of some column blocks of one part to the sums.
template <int C, int kSteps>
inline void add_products(const uint8_t (*weights)[8][64], int64_t blocks, const uint8_t* const* x,
                         int64_t block_stride, int factor, __m256i sums[2][C]) {
  const __m256i factors = _mm256_set1_epi16((short)factor);
  for (int64_t block = 0; block < blocks; ++block) {
#pragma GCC unroll 4
    for (int v = 0; v < 8; v += kSteps) {
      const int64_t at = block * block_stride + 4 * v;
      __m256i words[2][C];
      multiply_four<C, true>(weights[block][v], x, at, words);
#pragma GCC unroll 8
      for (int step = 1; step < kSteps; ++step) {
        multiply_four<C, false>(weights[block][v + step], x, at + 4 * step, words);
      }
      for (int h = 0; h < 2; ++h) {
#pragma GCC unroll 6
        for (int c = 0; c < C; ++c) {
          sums[h][c] = _mm256_add_epi32(sums[h][c], _mm256_madd_epi16(words[h][c], factors));
        }
      }
    }
  }
}

// N halves of vectors, from the one numbered `first` on, of D digits; P parts of a weight.
template <int N, int D, int P, int kSteps>
void run_tile(const Product& p, const Panel& panel, int64_t row_block, int64_t first, int64_t begin,
              int64_t end, int64_t run_begin, int64_t run_end) {
  const int32_t top = (1 << p.args->n_planes) - 1;
  const uint8_t* x[N * D];
  const int32_t* run_sums[N];
  float* out[N];
  __m256 acc[2][N];
  for (int n = 0; n < N; ++n) {
    const int64_t vector = (first + n) / p.halves, half = (first + n) % p.halves;
    for (int d = 0; d < D; ++d) {
      x[n * D + d] = p.args->activations + vector * p.args->activation_stride +
                     (half * D + d) * kBlockCols + begin * p.block_stride;
    }
    run_sums[n] = p.args->run_sums + (vector * p.halves + half) * p.runs + run_begin;
    out[n] = p.args->acc + (vector * p.halves + half) * p.args->acc_stride + row_block * kBlockRows;
    for (int h = 0; h < 2; ++h) {
      acc[h][n] = begin == 0 ? _mm256_setzero_ps() : _mm256_loadu_ps(out[n] + 8 * h);
    }
  }
  int64_t block = 0;
  for (int64_t run = 0; run < run_end - run_begin; ++run) {
    const int64_t blocks = min_of(p.args->run_blocks, end - begin - block);
    __m256i sums[2][N * D];
    for (int h = 0; h < 2; ++h) {
      for (int n = 0; n < N; ++n) {
        sums[h][n * D] = _mm256_set1_epi32(-top * run_sums[n][run]);
        if constexpr (D == 2) sums[h][n * D + 1] = _mm256_setzero_si256();
      }
    }
    for (int part = 0; part < P; ++part) {
      add_products<N * D, kSteps>(panel.weights[part] + block, blocks, x, p.block_stride,
                                  P == 2 && part == 0 ? 32 : 2, sums);
    }
    for (int h = 0; h < 2; ++h) {
      const __m256 scale = _mm256_load_ps(panel.scales[run] + 8 * h);
      for (int n = 0; n < N; ++n) {
        __m256i s = sums[h][n * D];
        if constexpr (D == 2) s = _mm256_add_epi32(s, _mm256_slli_epi32(sums[h][n * D + 1], 8));
        acc[h][n] = _mm256_add_ps(acc[h][n], _mm256_mul_ps(_mm256_cvtepi32_ps(s), scale));
      }
    }
    for (int column = 0; column < N * D; ++column) x[column] += blocks * p.block_stride;
    block += blocks;
  }
  for (int n = 0; n < N; ++n) {
    for (int h = 0; h < 2; ++h) _mm256_storeu_ps(out[n] + 8 * h, acc[h][n]);
  }
}

typedef void (*TileFn)(const Product&, const Panel&, int64_t, int64_t, int64_t, int64_t, int64_t,
                       int64_t);

// By number of halves of vectors less one.
template <int D, int P, int kSteps>
TileFn tile_of(int64_t count) {
  static const TileFn kOneDigit[] = {run_tile<1, 1, P, kSteps>, run_tile<2, 1, P, kSteps>,
                                     run_tile<3, 1, P, kSteps>, run_tile<4, 1, P, kSteps>,
                                     run_tile<5, 1, P, kSteps>, run_tile<6, 1, P, kSteps>};
  static const TileFn kTwoDigits[] = {run_tile<1, 2, P, kSteps>, run_tile<2, 2, P, kSteps>,
                                      run_tile<3, 2, P, kSteps>};
  return D == 1 ? kOneDigit[count - 1] : kTwoDigits[count - 1];
}

template <int D, int P, int kSteps>
void run_panels(const Product& p, int64_t row_block, int64_t row_block_end) {
  Panel panel;
  const int64_t halves = p.args->batch * p.halves;
  for (; row_block < row_block_end; ++row_block) {
    for (int64_t begin = 0; begin < p.args->col_blocks; begin += kChunkBlocks) {
      const int64_t end = min_of(begin + kChunkBlocks, p.args->col_blocks);
      const int64_t run_begin = begin / p.args->run_blocks;
      const int64_t run_end = (end + p.args->run_blocks - 1) / p.args->run_blocks;
      unpack<P>(p, row_block, begin, end, run_begin, run_end, panel);
      for (int64_t first = 0; first < halves;) {
        const int64_t count = next_tile(halves - first, kMostColumns / D);
        tile_of<D, P, kSteps>(count)(p, panel, row_block, first, begin, end, run_begin, run_end);
        first += count;
      }
    }
  }
}

// kSteps products of pairs fit 16 bits: kSteps * 2 * 128 * weight <= 32768.
template <int D>
void run_planes(const Product& p, int64_t row_block, int64_t row_block_end) {
  if (p.args->n_planes <= 4) return run_panels<D, 1, 8>(p, row_block, row_block_end);
  if (p.args->n_planes == 5) return run_panels<D, 1, 4>(p, row_block, row_block_end);
  if (p.args->n_planes == 6) return run_panels<D, 1, 2>(p, row_block, row_block_end);
  if (p.args->n_planes == 7) return run_panels<D, 1, 1>(p, row_block, row_block_end);
  run_panels<D, 2, 8>(p, row_block, row_block_end);
}

}  // namespace

void gemm_avx2_run(const BitKernelArgs* args, int64_t row_block_begin, int64_t row_block_end) {
  const Product p = {args, (args->col_blocks + args->run_blocks - 1) / args->run_blocks,
                     activation_halves(args->activation_bits),
                     args->activation_bits / 8 * kBlockCols,
                     field_bits(args->n_planes, args->row_blocks)};
  if (args->activation_bits == 8) return run_planes<1>(p, row_block_begin, row_block_end);
  run_planes<2>(p, row_block_begin, row_block_end);
}

}  // namespace pbatch
