// kActivationTables on AVX-512.
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

namespace pbatch {
namespace {

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

inline __m512i high_halves(__m512i q) {
  return _mm512_srai_epi32(_mm512_add_epi32(q, _mm512_set1_epi32(16384)), 15);
}

}  // namespace

void pack_tables_avx512_run(const int32_t* q, int64_t col_blocks, int activation_bits,
                            uint8_t* out) {
  const int stride = activation_halves(activation_bits) * table_bytes(activation_bits) * 64;
  for (int64_t block = 0; block < col_blocks; ++block) {
    const __m512i first = _mm512_loadu_si512(q + block * kBlockCols);
    const __m512i second = _mm512_loadu_si512(q + block * kBlockCols + 16);
    if (activation_bits == 8) {
      store_block<2>(first, second, stride, out);
    } else if (activation_bits == 16) {
      store_block<3>(first, second, stride, out);
    } else {
      const __m512i hi0 = high_halves(first), hi1 = high_halves(second);
      store_block<3>(hi0, hi1, stride, out);
      store_block<3>(_mm512_sub_epi32(first, _mm512_slli_epi32(hi0, 15)),
                     _mm512_sub_epi32(second, _mm512_slli_epi32(hi1, 15)), stride, out + 3 * 64);
    }
    out += 2 * stride;
  }
}

}  // namespace pbatch
