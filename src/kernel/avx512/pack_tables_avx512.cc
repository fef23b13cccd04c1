// kActivationTables on AVX-512.
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

namespace pbatch {
namespace {

// The low bytes of 32 values as VPDPBUSD wants them: unsigned, each 128 too large.
inline void store_digit(__m512i first, __m512i second, uint8_t* out) {
  const __m256i digits =
      _mm256_set_m128i(_mm512_cvtepi32_epi8(second), _mm512_cvtepi32_epi8(first));
  _mm256_store_si256((__m256i*)out, _mm256_xor_si256(digits, _mm256_set1_epi8(-128)));
}

// The 16 sums of four columns: those whose bit is set in the entry's number less the others.
inline __m512i sums_of_four(const uint8_t* digits) {
  const __m512i signs = _mm512_setr_epi32(
      (int)0xffffffff, (int)0xffffff01, (int)0xffff01ff, (int)0xffff0101, (int)0xff01ffff,
      (int)0xff01ff01, (int)0xff0101ff, (int)0xff010101, 0x01ffffff, 0x01ffff01, 0x01ff01ff,
      0x01ff0101, 0x0101ffff, 0x0101ff01, 0x010101ff, 0x01010101);
  // Takes back the 128: 4, 2, 0, -2 or -4 times.
  const __m512i start =
      _mm512_setr_epi32(512, 256, 256, 0, 256, 0, 0, -256, 256, 0, 0, -256, 0, -256, -256, -512);
  int32_t x;
  memcpy(&x, digits, sizeof x);
  return _mm512_dpbusd_epi32(start, _mm512_set1_epi32(x), signs);
}

// The sums of a digit for every second four columns, as words: in each 128-bit lane four sums of
// one table, then of the next. |sum| <= 512.
struct Words {
  __m512i first, second;  // tables 0 and 1, 2 and 3
};

inline Words sums_of_digit(const uint8_t* digits, int upper) {
  __m512i sums[4];
  for (int b = 0; b < 4; ++b) sums[b] = sums_of_four(digits + 8 * b + 4 * upper);
  return {_mm512_packs_epi32(sums[0], sums[1]), _mm512_packs_epi32(sums[2], sums[3])};
}

inline void store_in_order(__m512i mixed, uint8_t* out) {
  const __m512i order =
      _mm512_setr_epi32(0x06040200, 0x16141210, 0x26242220, 0x36343230, 0x0e0c0a08, 0x1e1c1a18,
                        0x2e2c2a28, 0x3e3c3a38, 0x07050301, 0x17151311, 0x27252321, 0x37353331,
                        0x0f0d0b09, 0x1f1d1b19, 0x2f2d2b29, 0x3f3d3b39);
  _mm512_store_si512(out, _mm512_permutexvar_epi8(order, mixed));
}

const int kChooseByLast = 0xd8;  // third operand ? second : first

inline void store_low_bytes(const Words& words, uint8_t* out) {
  store_in_order(_mm512_ternarylogic_epi32(_mm512_slli_epi16(words.second, 8), words.first,
                                           _mm512_set1_epi16(0x00ff), kChooseByLast),
                 out);
}

inline void store_high_bytes(const Words& words, uint8_t* out) {
  store_in_order(_mm512_ternarylogic_epi32(words.second, _mm512_srli_epi16(words.first, 8),
                                           _mm512_set1_epi16(0x00ff), kChooseByLast),
                 out);
}

// high + low / 256, rounded down.
inline Words carry(const Words& low, const Words& high) {
  return {_mm512_add_epi16(high.first, _mm512_srai_epi16(low.first, 8)),
          _mm512_add_epi16(high.second, _mm512_srai_epi16(low.second, 8))};
}

// The tables of 32 values of 8 or of 16 bits; `stride` bytes from the lower to the upper.
inline void store_bytes(__m512i first, __m512i second, int stride, uint8_t* out) {
  alignas(64) uint8_t digits[kBlockCols];
  store_digit(first, second, digits);
  for (int upper = 0; upper < 2; ++upper) {
    const Words sums = sums_of_digit(digits, upper);
    store_low_bytes(sums, out + upper * stride);
    store_high_bytes(sums, out + upper * stride + 64);
  }
}

inline void store_half(__m512i first, __m512i second, int stride, uint8_t* out) {
  const __m512i round = _mm512_set1_epi32(128);
  alignas(64) uint8_t low_digits[kBlockCols], high_digits[kBlockCols];
  store_digit(first, second, low_digits);
  store_digit(_mm512_srli_epi32(_mm512_add_epi32(first, round), 8),
              _mm512_srli_epi32(_mm512_add_epi32(second, round), 8), high_digits);
  for (int upper = 0; upper < 2; ++upper) {
    const Words low = sums_of_digit(low_digits, upper);
    const Words high = carry(low, sums_of_digit(high_digits, upper));
    store_low_bytes(low, out + upper * stride);
    store_low_bytes(high, out + upper * stride + 64);
    store_high_bytes(high, out + upper * stride + 2 * 64);
  }
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
      store_bytes(first, second, stride, out);
    } else if (activation_bits == 16) {
      store_half(first, second, stride, out);
    } else {
      const __m512i hi0 = high_halves(first), hi1 = high_halves(second);
      store_half(hi0, hi1, stride, out);
      store_half(_mm512_sub_epi32(first, _mm512_slli_epi32(hi0, 15)),
                 _mm512_sub_epi32(second, _mm512_slli_epi32(hi1, 15)), stride, out + 3 * 64);
    }
    out += 2 * stride;
  }
}

}  // namespace pbatch
