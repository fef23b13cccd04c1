// Look-up tables: VPERMB finds what four weight bits make of four activations, for 64 nibbles at a
// time, and VPDPBUSD adds up the sums of a row.
//
// A table has 16 sums: of four columns' activations, added where the bit is 1, subtracted where it
// is 0, so that the planes' sums, each twice the next, add up to S of kernel.h. A register holds
// the tables of four times four columns, 16 b + nibble for those that start at column 8 b (lower)
// or 8 b + 4 (upper) of a block. Sums are split into bytes, each looked up on its own: the top one
// signed, the others not.
//
// Packed activations: [col_blocks][2: lower, upper][bytes][64]; 2 bytes of a sum for A = 8, 3 for
// A = 16, low byte first; for A = 32 the 3 of half 0 and then those of half 1.
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

namespace pbatch {
namespace {

const int64_t kPrefetchBytes = 1024;  // ahead, per row block
const int kRowBlocks = 8;             // of a tile

inline int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }

constexpr int halves_of(int activation_bits) { return activation_bits == 32 ? 2 : 1; }
constexpr int sum_bytes(int activation_bits) { return activation_bits == 8 ? 2 : 3; }

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
  constexpr int B = sum_bytes(A), kHalves = halves_of(A);
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
    for (int half = 0; half < halves_of(A); ++half) {
      run_row_blocks<A, kRowBlocks>(args, begin, end, vector, half);
    }
  }
}

// The 16 sums of four columns, for digits of one byte: those whose bit is set in the entry's number
// less the others.
inline __m512i sums_of_four(__m512i digits, int four) {
  const __m512i twice =
      _mm512_setr_epi32(0x00000000, 0x00000002, 0x00000200, 0x00000202, 0x00020000, 0x00020002,
                        0x00020200, 0x00020202, 0x02000000, 0x02000002, 0x02000200, 0x02000202,
                        0x02020000, 0x02020002, 0x02020200, 0x02020202);
  const __m512i x = _mm512_permutexvar_epi32(_mm512_set1_epi32(four), digits);
  const __m512i all = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(1), x);
  return _mm512_sub_epi32(_mm512_dpbusd_epi32(_mm512_setzero_si512(), twice, x), all);
}

// Byte `place` of the entries of four tables, one table after the other.
inline void store_table(const __m512i sums[4], int place, uint8_t* out) {
  __m512i mixed = _mm512_setzero_si512();
  for (int b = 0; b < 4; ++b) {
    const int left = 8 * (b - place);
    const __m512i moved = left >= 0 ? _mm512_slli_epi32(sums[b], (unsigned)left)
                                    : _mm512_srli_epi32(sums[b], (unsigned)-left);
    mixed = _mm512_mask_mov_epi8(mixed, 0x1111111111111111ULL << b, moved);
  }
  const __m512i one =
      _mm512_setr_epi32(0x0c080400, 0x1c181410, 0x2c282420, 0x3c383430, 0x0d090501, 0x1d191511,
                        0x2d292521, 0x3d393531, 0x0e0a0602, 0x1e1a1612, 0x2e2a2622, 0x3e3a3632,
                        0x0f0b0703, 0x1f1b1713, 0x2f2b2723, 0x3f3b3733);
  _mm512_store_si512(out, _mm512_permutexvar_epi8(one, mixed));
}

// The lower or the upper tables of a block, from the byte digits of its 32 values.
template <int B>
inline void store_tables(__m512i low_digits, __m512i high_digits, int upper, uint8_t* out) {
  __m512i sums[4];
  for (int b = 0; b < 4; ++b) {
    sums[b] = sums_of_four(low_digits, 2 * b + upper);
    if constexpr (B == 3) {
      const __m512i high = sums_of_four(high_digits, 2 * b + upper);
      sums[b] = _mm512_add_epi32(sums[b], _mm512_slli_epi32(high, 8));
    }
  }
  for (int i = 0; i < B; ++i) store_table(sums, i, out + 64 * i);
}

inline __m512i bytes_of(__m512i first, __m512i second) {
  return _mm512_castsi256_si512(
      _mm256_set_m128i(_mm512_cvtepi32_epi8(second), _mm512_cvtepi32_epi8(first)));
}

// What is left of the values above their lowest byte digit.
inline __m512i shift_out_digit(__m512i values) {
  return _mm512_srai_epi32(_mm512_add_epi32(values, _mm512_set1_epi32(128)), 8);
}

inline void store_half(__m512i first, __m512i second, int upper, uint8_t* out) {
  store_tables<3>(bytes_of(first, second),
                  bytes_of(shift_out_digit(first), shift_out_digit(second)), upper, out);
}

inline __m512i high_half(__m512i q) {
  return _mm512_srai_epi32(_mm512_add_epi32(q, _mm512_set1_epi32(16384)), 15);
}

}  // namespace

int64_t lut_avx512_packed_bytes(int64_t col_blocks, int activation_bits) {
  return col_blocks * 2 * halves_of(activation_bits) * sum_bytes(activation_bits) * 64;
}

void lut_avx512_pack(const int32_t* q, int64_t col_blocks, int activation_bits, uint8_t* out) {
  const int stride = halves_of(activation_bits) * sum_bytes(activation_bits) * 64;
  for (int64_t block = 0; block < col_blocks; ++block) {
    const __m512i first = _mm512_loadu_si512(q + block * kBlockCols);
    const __m512i second = _mm512_loadu_si512(q + block * kBlockCols + 16);
    for (int upper = 0; upper < 2; ++upper) {
      if (activation_bits == 8) {
        store_tables<2>(bytes_of(first, second), _mm512_setzero_si512(), upper, out);
      } else if (activation_bits == 16) {
        store_half(first, second, upper, out);
      } else {
        const __m512i hi0 = high_half(first), hi1 = high_half(second);
        store_half(hi0, hi1, upper, out);
        store_half(_mm512_sub_epi32(first, _mm512_slli_epi32(hi0, 15)),
                   _mm512_sub_epi32(second, _mm512_slli_epi32(hi1, 15)), upper, out + 3 * 64);
      }
      out += stride;
    }
  }
}

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
