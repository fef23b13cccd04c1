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

// One byte digit of the 32 values of a block.
struct BlockDigit {
  alignas(64) uint8_t x[kBlockCols];
  alignas(64) int32_t negative_sums[16];  // of four columns each; 8 are used
};

inline void split_off(__m512i digits, BlockDigit& out) {
  _mm256_store_si256((__m256i*)out.x, _mm512_castsi512_si256(digits));
  const __m512i zero = _mm512_setzero_si512();
  const __m512i sums = _mm512_dpbusd_epi32(zero, _mm512_set1_epi8(1), digits);
  _mm512_store_si512(out.negative_sums, _mm512_sub_epi32(zero, sums));
}

// The 16 sums of the four columns that start at 4 four: those whose bit is set in the entry's
// number less the others.
inline __m512i sums_of_four(const BlockDigit& digit, int four) {
  const __m512i twice =
      _mm512_setr_epi32(0x00000000, 0x00000002, 0x00000200, 0x00000202, 0x00020000, 0x00020002,
                        0x00020200, 0x00020202, 0x02000000, 0x02000002, 0x02000200, 0x02000202,
                        0x02020000, 0x02020002, 0x02020200, 0x02020202);
  int32_t x;
  memcpy(&x, digit.x + 4 * four, sizeof x);
  return _mm512_dpbusd_epi32(_mm512_set1_epi32(digit.negative_sums[four]), twice,
                             _mm512_set1_epi32(x));
}

// Lanes shifted so that byte `from` becomes byte `to`.
template <int from, int to>
inline __m512i move_byte(__m512i lanes) {
  if constexpr (from <= to) return _mm512_slli_epi32(lanes, 8 * (to - from));
  return _mm512_srli_epi32(lanes, 8 * (from - to));
}

// Byte `place` of the entries of four tables, one table after the other.
template <int place>
inline void store_table(const __m512i sums[4], uint8_t* out) {
  const __m512i low_byte = _mm512_set1_epi16(0x00ff), low_half = _mm512_set1_epi32(0x0000ffff);
  const int choose_by_last = 0xd8;  // third operand ? second : first
  const __m512i first = _mm512_ternarylogic_epi32(
      move_byte<place, 1>(sums[1]), move_byte<place, 0>(sums[0]), low_byte, choose_by_last);
  const __m512i second = _mm512_ternarylogic_epi32(
      move_byte<place, 3>(sums[3]), move_byte<place, 2>(sums[2]), low_byte, choose_by_last);
  const __m512i mixed = _mm512_ternarylogic_epi32(second, first, low_half, choose_by_last);
  const __m512i one =
      _mm512_setr_epi32(0x0c080400, 0x1c181410, 0x2c282420, 0x3c383430, 0x0d090501, 0x1d191511,
                        0x2d292521, 0x3d393531, 0x0e0a0602, 0x1e1a1612, 0x2e2a2622, 0x3e3a3632,
                        0x0f0b0703, 0x1f1b1713, 0x2f2b2723, 0x3f3b3733);
  _mm512_store_si512(out, _mm512_permutexvar_epi8(one, mixed));
}

// The lower (0) or the upper (1) tables of a block, from its B - 1 byte digits, the low one first.
template <int B>
inline void store_tables(const BlockDigit digits[B - 1], int upper, uint8_t* out) {
  __m512i sums[4];
  for (int b = 0; b < 4; ++b) {
    sums[b] = sums_of_four(digits[0], 2 * b + upper);
    if constexpr (B == 3) {
      const __m512i high = sums_of_four(digits[1], 2 * b + upper);
      sums[b] = _mm512_add_epi32(sums[b], _mm512_slli_epi32(high, 8));
    }
  }
  store_table<0>(sums, out);
  store_table<1>(sums, out + 64);
  if constexpr (B == 3) store_table<2>(sums, out + 2 * 64);
}

inline __m512i bytes_of(__m512i first, __m512i second) {
  return _mm512_castsi256_si512(
      _mm256_set_m128i(_mm512_cvtepi32_epi8(second), _mm512_cvtepi32_epi8(first)));
}

// What is left of the values above their lowest byte digit.
inline __m512i shift_out_digit(__m512i values) {
  return _mm512_srai_epi32(_mm512_add_epi32(values, _mm512_set1_epi32(128)), 8);
}

// The tables of 32 values that have B - 1 byte digits; `stride` bytes from the lower to the upper.
template <int B>
inline void store_block(__m512i first, __m512i second, int stride, uint8_t* out) {
  BlockDigit digits[B - 1];
  split_off(bytes_of(first, second), digits[0]);
  if constexpr (B == 3) {
    split_off(bytes_of(shift_out_digit(first), shift_out_digit(second)), digits[1]);
  }
  store_tables<B>(digits, 0, out);
  store_tables<B>(digits, 1, out + stride);
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
    if (activation_bits == 8) {
      store_block<2>(first, second, stride, out);
    } else if (activation_bits == 16) {
      store_block<3>(first, second, stride, out);
    } else {
      const __m512i hi0 = high_half(first), hi1 = high_half(second);
      store_block<3>(hi0, hi1, stride, out);
      store_block<3>(_mm512_sub_epi32(first, _mm512_slli_epi32(hi0, 15)),
                     _mm512_sub_epi32(second, _mm512_slli_epi32(hi1, 15)), stride, out + 3 * 64);
    }
    out += 2 * stride;
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
