// Look-up tables: VPERMB finds what four weight bits make of four activations, for 64 nibbles at a
// time, and VPDPBUSD adds up the sums of a row.
//
// A table has 16 sums: of four columns' activations, added where the bit is 1, subtracted where it
// is 0, so that the planes' sums, each twice the next, add up to S of kernel.h. A register holds
// the tables of four times four columns, 16 b + nibble for those that start at column 8 b (lower)
// or 8 b + 4 (upper) of a block. Sums are split into bytes, each looked up on its own: the top one
// signed, the others not.
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

namespace pbatch {
namespace {

const int64_t kPrefetchBytes = 1024;  // ahead, per row block
const int kRowBlocks = 8;             // of a tile

inline int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }

inline __m512i every_fourth(int a, int b, int c, int d) {
  return _mm512_set1_epi32(a | b << 8 | c << 16 | d << 24);
}

// Adds the looked up bytes of one block and plane: B bytes of a sum, RB row blocks.
template <int B, int RB>
inline void add_block(const uint8_t* const planes[RB], const uint8_t* tables, int table_stride,
                      __m512i sums[RB][B]) {
  const __m512i nibble = _mm512_set1_epi8(0x0f), ones = _mm512_set1_epi8(1);
  const __m512i table_number = every_fourth(0x00, 0x10, 0x20, 0x30);
  for (int upper = 0; upper < 2; ++upper) {
    __m512i table[B];
    for (int i = 0; i < B; ++i)
      table[i] = _mm512_load_si512(tables + upper * table_stride + 64 * i);
    for (int r = 0; r < RB; ++r) {
      __m512i bits = _mm512_loadu_si512(planes[r]);
      if (upper == 1) bits = _mm512_srli_epi16(bits, 4);
      const __m512i index = _mm512_ternarylogic_epi32(bits, nibble, table_number, 0xea);
      for (int i = 0; i < B; ++i) {
        const __m512i found = _mm512_permutexvar_epi8(index, table[i]);
        sums[r][i] = i + 1 == B ? _mm512_dpbusd_epi32(sums[r][i], ones, found)
                                : _mm512_dpbusd_epi32(sums[r][i], found, ones);
      }
    }
  }
}

// One plane's part of S, over one run of columns.
template <int B, int RB>
inline void sum_plane(const uint8_t* const blocks[RB], int64_t begin, int64_t end,
                      const uint8_t* tables, int table_bytes, __m512i out[RB]) {
  __m512i sums[RB][B];
  for (int r = 0; r < RB; ++r) {
    for (int i = 0; i < B; ++i) sums[r][i] = _mm512_setzero_si512();
  }
  for (int64_t block = begin; block < end; ++block) {
    const uint8_t* at[RB];
    for (int r = 0; r < RB; ++r) {
      at[r] = blocks[r] + block * kBlockBytes;
      _mm_prefetch((const char*)at[r] + kPrefetchBytes, _MM_HINT_T0);
    }
    add_block<B, RB>(at, tables + block * 2 * table_bytes, table_bytes, sums);
  }
  for (int r = 0; r < RB; ++r) {
    out[r] = _mm512_add_epi32(sums[r][0], _mm512_slli_epi32(sums[r][1], 8));
    if constexpr (B == 3) out[r] = _mm512_add_epi32(out[r], _mm512_slli_epi32(sums[r][2], 16));
  }
}

template <int A, int RB>
void run_tile(const BitKernelArgs* args, int64_t row_block, int64_t last_row_block, int64_t vector,
              int half) {
  constexpr int B = table_bytes(A), kHalves = activation_halves(A);
  const int64_t runs = (args->col_blocks + args->run_blocks - 1) / args->run_blocks;
  const int64_t block_stride = args->col_blocks * kBlockBytes;
  const uint8_t* tables =
      args->activations + vector * args->activation_stride + half * B * kBlockBytes;

  int64_t rows[RB];
  __m512 acc[RB];
  for (int r = 0; r < RB; ++r) {
    rows[r] = min_of(row_block + r, last_row_block);
    acc[r] = _mm512_setzero_ps();
  }
  for (int64_t run = 0; run < runs; ++run) {
    const int64_t begin = run * args->run_blocks;
    const int64_t end = min_of(begin + args->run_blocks, args->col_blocks);
    __m512i total[RB];
    for (int p = 0; p < args->n_planes; ++p) {
      const uint8_t* blocks[RB];
      for (int r = 0; r < RB; ++r) blocks[r] = args->planes[p] + rows[r] * block_stride;
      __m512i sum[RB];
      sum_plane<B, RB>(blocks, begin, end, tables, kHalves * B * kBlockBytes, sum);
      for (int r = 0; r < RB; ++r) {
        total[r] = p == 0 ? sum[r] : _mm512_add_epi32(_mm512_add_epi32(total[r], total[r]), sum[r]);
      }
    }
    for (int r = 0; r < RB; ++r) {
      const uint8_t* scales = args->scales + (rows[r] * runs + run) * kBlockRows;
      const __m512 scale =
          _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i*)scales)));
      acc[r] = _mm512_add_ps(acc[r], _mm512_mul_ps(_mm512_cvtepi32_ps(total[r]), scale));
    }
  }
  float* out = args->acc + (vector * kHalves + half) * args->acc_stride;
  for (int r = 0; r < RB && row_block + r <= last_row_block; ++r) {
    _mm512_storeu_ps(out + (row_block + r) * kBlockRows, acc[r]);
  }
}

// All row blocks from `begin` on, RB at once, then half as many.
template <int A, int RB>
void run_row_blocks(const BitKernelArgs* args, int64_t begin, int64_t end, int64_t vector,
                    int half) {
  for (; 2 * (end - begin) > RB; begin += RB) {
    run_tile<A, RB>(args, begin, end - 1, vector, half);
  }
  if constexpr (RB > 1) {
    if (begin < end) run_row_blocks<A, RB / 2>(args, begin, end, vector, half);
  }
}

template <int A>
void run_vectors(const BitKernelArgs* args, int64_t begin, int64_t end) {
  for (int64_t vector = 0; vector < args->batch; ++vector) {
    for (int half = 0; half < activation_halves(A); ++half) {
      run_row_blocks<A, kRowBlocks>(args, begin, end, vector, half);
    }
  }
}

}  // namespace

void lut_avx512_run(const BitKernelArgs* args, int64_t row_block_begin, int64_t row_block_end) {
  if (row_block_begin >= row_block_end) return;
  switch (args->activation_bits) {
    case 8:
      return run_vectors<8>(args, row_block_begin, row_block_end);
    case 16:
      return run_vectors<16>(args, row_block_begin, row_block_end);
    default:
      return run_vectors<32>(args, row_block_begin, row_block_end);
  }
}

}  // namespace pbatch
