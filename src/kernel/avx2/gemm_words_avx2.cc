// A blocked matrix product for batches, without VNNI, for activations or weights of more than a
// byte digit: a row block is unpacked from fields to 16-bit numbers 2u - (2^p - 1), once for all
// vectors, and multiplied by VPMADDWD in register tiles of 16 rows times up to six halves of
// vectors. So the sums of a run are S of kernel.h.
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

// Some columns of a row block, as numbers and floats.
struct alignas(64) Panel {
  int16_t weights[kChunkBlocks][16][2][8][2];  // [column block][c][half of rows][row][c, c + 16]
  float scales[kChunkBlocks][16];              // [run][row]
};

// What all tiles of a call share.
struct Product {
  const BitKernelArgs* args;
  int64_t runs;
  int halves;
  int64_t half_stride;  // bytes from one half of a vector to the next
  int field;            // bits of a field
};

// Columns 4 v .. 4 v + 3 and 16 more than these, of eight rows. `first` and `second`: the bytes
// that hold them.
inline void unpack_columns(__m256i first, __m256i second, __m128i place, __m256i mask, __m256i top,
                           int16_t* to) {
  const __m256i low = _mm256_and_si256(_mm256_srl_epi16(first, place), mask);
  const __m256i high = _mm256_and_si256(_mm256_srl_epi16(second, place), mask);
  const __m256i byte = _mm256_set1_epi32(0xff), upper_byte = _mm256_set1_epi32(0xff0000);
  for (int c = 0; c < 4; ++c) {
    const __m256i of_low = _mm256_and_si256(_mm256_srli_epi32(low, 8 * c), byte);
    const __m256i of_high = _mm256_and_si256(
        c < 2 ? _mm256_slli_epi32(high, 16 - 8 * c) : _mm256_srli_epi32(high, 8 * c - 16),
        upper_byte);
    const __m256i u = _mm256_or_si256(of_low, of_high);
    const __m256i numbers = _mm256_sub_epi16(_mm256_add_epi16(u, u), top);
    _mm256_store_si256((__m256i*)(to + 32 * c), numbers);
  }
}

// Column blocks begin .. end - 1 of a row block, whose runs are run_begin .. run_end - 1.
inline void unpack(const Product& p, int64_t row_block, int64_t begin, int64_t end,
                   int64_t run_begin, int64_t run_end, Panel& panel) {
  const int band_size = 8 / p.field;
  const int64_t band = row_block / band_size;
  const __m128i place = _mm_cvtsi32_si128(p.field * (band_size - 1 - (int)(row_block % band_size)));
  const int most = (1 << p.args->n_planes) - 1;
  const __m256i mask = _mm256_set1_epi8((char)most), top = _mm256_set1_epi16((short)most);
  const uint8_t* from = p.args->planes[0] + (band * p.args->col_blocks + begin) * kBandBlockBytes;
  for (int64_t block = 0; block < end - begin; ++block, from += kBandBlockBytes) {
    for (int v = 0; v < 4; ++v) {
      for (int h = 0; h < 2; ++h) {
        const uint8_t* at = from + 64 * v + 32 * h;
        unpack_columns(_mm256_loadu_si256((const __m256i*)at),
                       _mm256_loadu_si256((const __m256i*)(at + 4 * 64)), place, mask, top,
                       panel.weights[block][4 * v][h][0]);
      }
    }
  }
  unpack_scales(p.args->scales + (row_block * p.runs + run_begin) * kBlockRows,
                2 * (run_end - run_begin), panel.scales[0]);
}

// N halves of vectors, from the one numbered `first` on.
template <int N>
void run_tile(const Product& p, const Panel& panel, int64_t row_block, int64_t first, int64_t begin,
              int64_t end, int64_t run_begin, int64_t run_end) {
  const uint8_t* x[N];
  float* out[N];
  __m256 acc[2][N];
  for (int n = 0; n < N; ++n) {
    const int64_t vector = (first + n) / p.halves, half = (first + n) % p.halves;
    x[n] = p.args->activations + vector * p.args->activation_stride + half * p.half_stride +
           begin * 2 * kBlockCols;
    out[n] = p.args->acc + (vector * p.halves + half) * p.args->acc_stride + row_block * kBlockRows;
    for (int h = 0; h < 2; ++h) {
      acc[h][n] = begin == 0 ? _mm256_setzero_ps() : _mm256_loadu_ps(out[n] + 8 * h);
    }
  }
  int64_t block = 0;
  for (int64_t run = 0; run < run_end - run_begin; ++run) {
    __m256i sums[2][N];
#pragma GCC unroll 6
    for (int n = 0; n < N; ++n) sums[0][n] = sums[1][n] = _mm256_setzero_si256();
    const int64_t run_block_end = min_of(block + p.args->run_blocks, end - begin);
    for (; block < run_block_end; ++block) {
      const __m256i* weights = (const __m256i*)panel.weights[block];
#pragma GCC unroll 16
      for (int c = 0; c < 16; ++c) {
        const __m256i upper = _mm256_load_si256(weights + 2 * c);
        const __m256i lower = _mm256_load_si256(weights + 2 * c + 1);
#pragma GCC unroll 6
        for (int n = 0; n < N; ++n) {
          int32_t two;
          memcpy(&two, x[n] + block * 2 * kBlockCols + 4 * c, sizeof two);
          const __m256i pair = _mm256_set1_epi32(two);
          sums[0][n] = in_register(_mm256_add_epi32(sums[0][n], _mm256_madd_epi16(upper, pair)));
          sums[1][n] = in_register(_mm256_add_epi32(sums[1][n], _mm256_madd_epi16(lower, pair)));
        }
      }
    }
    for (int h = 0; h < 2; ++h) {
      const __m256 scale = _mm256_load_ps(panel.scales[run] + 8 * h);
#pragma GCC unroll 6
      for (int n = 0; n < N; ++n) {
        acc[h][n] = _mm256_add_ps(acc[h][n], _mm256_mul_ps(_mm256_cvtepi32_ps(sums[h][n]), scale));
      }
    }
  }
  for (int n = 0; n < N; ++n) {
    for (int h = 0; h < 2; ++h) _mm256_storeu_ps(out[n] + 8 * h, acc[h][n]);
  }
}

typedef void (*TileFn)(const Product&, const Panel&, int64_t, int64_t, int64_t, int64_t, int64_t,
                       int64_t);

void run_panel(const Product& p, const Panel& panel, int64_t row_block, int64_t begin, int64_t end,
               int64_t run_begin, int64_t run_end) {
  static const TileFn kTiles[] = {run_tile<1>, run_tile<2>, run_tile<3>,
                                  run_tile<4>, run_tile<5>, run_tile<6>};
  const int64_t halves = p.args->batch * p.halves;
  for (int64_t first = 0; first < halves;) {
    const int64_t count = next_tile(halves - first, kMostColumns);
    kTiles[count - 1](p, panel, row_block, first, begin, end, run_begin, run_end);
    first += count;
  }
}

}  // namespace

void gemm_words_avx2_run(const BitKernelArgs* args, int64_t row_block, int64_t row_block_end) {
  const Product p = {args, (args->col_blocks + args->run_blocks - 1) / args->run_blocks,
                     activation_halves(args->activation_bits), args->col_blocks * 2 * kBlockCols,
                     field_bits(args->n_planes, args->row_blocks)};
  Panel panel;
  for (; row_block < row_block_end; ++row_block) {
    for (int64_t begin = 0; begin < args->col_blocks; begin += kChunkBlocks) {
      const int64_t end = min_of(begin + kChunkBlocks, args->col_blocks);
      const int64_t run_begin = begin / args->run_blocks;
      const int64_t run_end = (end + args->run_blocks - 1) / args->run_blocks;
      unpack(p, row_block, begin, end, run_begin, run_end, panel);
      run_panel(p, panel, row_block, begin, end, run_begin, run_end);
    }
  }
}

}  // namespace pbatch
