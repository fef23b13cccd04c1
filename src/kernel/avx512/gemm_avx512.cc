// A blocked matrix product for batches: a panel of four row blocks is unpacked from fields to
// bytes, once for all vectors, and multiplied by VPDPBUSD in register tiles.
//
// A column is one half of one vector, of one (A = 8) or two byte digits. A tile holds the sums of
// four row blocks times up to three columns of one digit, or two of two, in registers, its float
// accumulators beside them. Up to 7 planes are unpacked as 2u, and the sums of a run begin at
// -(2^p - 1) sum(q), so that they end as S of kernel.h; 2u of 8 planes would not fit a byte: there
// the sums begin at -127 sum(q) and are doubled.
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"
#include "kernel/tiles.h"

namespace pbatch {
namespace {

const int kPanelRowBlocks = 4;
const int kChunkBlocks = 16;  // column blocks of a panel: 32 KiB of bytes
// More would not leave registers for the float accumulators.
template <int D>
constexpr int kTileColumns = D == 1 ? 3 : 2;

// Some columns of a few row blocks, as bytes and floats.
struct alignas(64) Panel {
  uint8_t weights[kPanelRowBlocks][kChunkBlocks][8][64];  // [row block][column block][v][row][4]
  float scales[kPanelRowBlocks][kChunkBlocks][16];        // [row block][run][row]
};

// What all tiles of a call share.
struct Product {
  const BitKernelArgs* args;
  int64_t runs;
  int halves;
  int64_t block_stride;  // bytes of a packed vector's column block
  int field, place;      // bits of a field; where 2u or u ends up in a byte
};

// For GF2P8AFFINEQB: moves the m-th field of a byte to the place of the unpacked weight.
inline __m512i unpack_matrix(const Product& p, int m) {
  uint64_t matrix = 0;
  for (int bit = 0; bit < p.args->n_planes; ++bit) {
    const int from = 8 - p.field * (m + 1) + bit, to = bit + p.place;
    matrix |= (uint64_t)(1u << from) << (8 * (7 - to));
  }
  return _mm512_set1_epi64((long long)matrix);
}

// Column blocks begin .. end - 1 and runs run_begin .. run_end - 1 of `count` row blocks.
inline void unpack(const Product& p, int64_t row_block, int count, int64_t begin, int64_t end,
                   int64_t run_begin, int64_t run_end, Panel& panel) {
  const int band_size = 8 / p.field;
  for (int r = 0; r < count; ++r) {
    const int64_t band = (row_block + r) / band_size;
    const __m512i matrix = unpack_matrix(p, (int)((row_block + r) % band_size));
    const uint8_t* from = p.args->planes[0] + (band * p.args->col_blocks + begin) * kBandBlockBytes;
    uint8_t* to = panel.weights[r][0][0];
    for (int64_t i = 0; i < (end - begin) * 8; ++i) {
      const __m512i bytes = _mm512_loadu_si512(from + 64 * i);
      _mm512_store_si512(to + 64 * i, _mm512_gf2p8affine_epi64_epi8(bytes, matrix, 0));
    }
    const uint8_t* scales = p.args->scales + ((row_block + r) * p.runs + run_begin) * kBlockRows;
    for (int64_t run = 0; run < run_end - run_begin; ++run) {
      const __m128i bytes = _mm_loadu_si128((const __m128i*)(scales + run * kBlockRows));
      _mm512_store_ps(panel.scales[r][run], _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes)));
    }
  }
}

// A pointer that loads are to be addressed from: else compilers keep one for every load, most of
// them on the stack.
inline const uint8_t* keep(const uint8_t* pointer) {
  asm("" : "+r"(pointer));
  return pointer;
}

// R row blocks, C columns of D digits, W: the sums are to be doubled (8 planes).
template <int R, int C, int D, bool W>
void run_tile(const Product& p, const Panel& panel, int64_t row_block, int64_t column,
              int64_t begin, int64_t end, int64_t run_begin, int64_t run_end) {
  const int32_t top = (1 << p.args->n_planes) - 1;
  const uint8_t* x[C];
  const int32_t* run_sums[C];
  float* out[C];
  for (int c = 0; c < C; ++c) {
    const int64_t vector = (column + c) / p.halves, half = (column + c) % p.halves;
    x[c] = p.args->activations + vector * p.args->activation_stride + half * D * kBlockCols +
           begin * p.block_stride;
    run_sums[c] = p.args->run_sums + (vector * p.halves + half) * p.runs + run_begin;
    out[c] = p.args->acc + (vector * p.halves + half) * p.args->acc_stride + row_block * kBlockRows;
  }
  int32_t first_sums[kChunkBlocks][C];
  for (int64_t run = 0; run < run_end - run_begin; ++run) {
    for (int c = 0; c < C; ++c) first_sums[run][c] = -(W ? top / 2 : top) * run_sums[c][run];
  }

  __m512 acc[R][C];
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c) {
      acc[r][c] = begin == 0 ? _mm512_setzero_ps() : _mm512_loadu_ps(out[c] + r * kBlockRows);
    }
  }
  int64_t block = 0;
  for (int64_t run = 0; run < run_end - run_begin; ++run) {
    __m512i sums[R][C][D];
    for (int r = 0; r < R; ++r) {
      for (int c = 0; c < C; ++c) {
        sums[r][c][0] = _mm512_set1_epi32(first_sums[run][c]);
        if constexpr (D == 2) sums[r][c][1] = _mm512_setzero_si512();
      }
    }
    const int64_t run_block_end = min_of(block + p.args->run_blocks, end - begin);
    for (; block < run_block_end; ++block) {
      const uint8_t* weights = keep(&panel.weights[0][block][0][0]);
      const uint8_t* digits_of[C];
      for (int c = 0; c < C; ++c) digits_of[c] = keep(x[c] + block * p.block_stride);
#pragma GCC unroll 8
      for (int v = 0; v < 8; ++v) {
        __m512i w[R];
        for (int r = 0; r < R; ++r) {
          w[r] = _mm512_load_si512(weights + r * sizeof panel.weights[0] + v * 64);
          asm("" : "+v"(w[r]));  // or it is loaded anew for every column
        }
        for (int c = 0; c < C; ++c) {
          for (int d = 0; d < D; ++d) {
            int32_t four;
            memcpy(&four, digits_of[c] + d * kBlockCols + 4 * v, sizeof four);
            const __m512i digits = _mm512_set1_epi32(four);
            for (int r = 0; r < R; ++r) {
              sums[r][c][d] = _mm512_dpbusd_epi32(sums[r][c][d], w[r], digits);
            }
          }
        }
      }
    }
    for (int r = 0; r < R; ++r) {
      const __m512 scale = _mm512_load_ps(panel.scales[r][run]);
      for (int c = 0; c < C; ++c) {
        __m512i s = sums[r][c][0];
        if constexpr (D == 2) s = _mm512_add_epi32(s, _mm512_slli_epi32(sums[r][c][1], 8));
        if constexpr (W) {
          s = _mm512_sub_epi32(_mm512_add_epi32(s, s), _mm512_set1_epi32(run_sums[c][run]));
        }
        acc[r][c] = _mm512_add_ps(acc[r][c], _mm512_mul_ps(_mm512_cvtepi32_ps(s), scale));
      }
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c) _mm512_storeu_ps(out[c] + r * kBlockRows, acc[r][c]);
  }
}

typedef void (*TileFn)(const Product&, const Panel&, int64_t, int64_t, int64_t, int64_t, int64_t,
                       int64_t);

// By number of columns less one.
template <int R, int D, bool W>
TileFn tile_of(int64_t columns) {
  static const TileFn kOneDigit[] = {run_tile<R, 1, 1, W>, run_tile<R, 2, 1, W>,
                                     run_tile<R, 3, 1, W>};
  static const TileFn kTwoDigits[] = {run_tile<R, 1, 2, W>, run_tile<R, 2, 2, W>};
  return D == 1 ? kOneDigit[columns - 1] : kTwoDigits[columns - 1];
}

template <int R, int D, bool W>
void run_panel(const Product& p, int64_t row_block) {
  Panel panel;
  const int64_t columns = p.args->batch * p.halves;
  for (int64_t begin = 0; begin < p.args->col_blocks; begin += kChunkBlocks) {
    const int64_t end = min_of(begin + kChunkBlocks, p.args->col_blocks);
    const int64_t run_begin = begin / p.args->run_blocks;
    const int64_t run_end = (end + p.args->run_blocks - 1) / p.args->run_blocks;
    unpack(p, row_block, R, begin, end, run_begin, run_end, panel);
    for (int64_t column = 0; column < columns;) {
      const int64_t count = next_tile(columns - column, kTileColumns<D>);
      tile_of<R, D, W>(count)(p, panel, row_block, column, begin, end, run_begin, run_end);
      column += count;
    }
  }
}

template <int D, bool W>
void run_panels(const Product& p, int64_t row_block, int64_t row_block_end) {
  for (; row_block + kPanelRowBlocks <= row_block_end; row_block += kPanelRowBlocks) {
    run_panel<kPanelRowBlocks, D, W>(p, row_block);
  }
  for (; row_block < row_block_end; ++row_block) run_panel<1, D, W>(p, row_block);
}

}  // namespace

void gemm_avx512_run(const BitKernelArgs* args, int64_t row_block_begin, int64_t row_block_end) {
  const int n_planes = args->n_planes;
  const Product p = {args,
                     (args->col_blocks + args->run_blocks - 1) / args->run_blocks,
                     activation_halves(args->activation_bits),
                     args->activation_bits / 8 * kBlockCols,
                     field_bits(n_planes, args->row_blocks),
                     n_planes == 8 ? 0 : 1};
  if (args->activation_bits == 8) {
    return n_planes == 8 ? run_panels<1, true>(p, row_block_begin, row_block_end)
                         : run_panels<1, false>(p, row_block_begin, row_block_end);
  }
  return n_planes == 8 ? run_panels<2, true>(p, row_block_begin, row_block_end)
                       : run_panels<2, false>(p, row_block_begin, row_block_end);
}

}  // namespace pbatch
