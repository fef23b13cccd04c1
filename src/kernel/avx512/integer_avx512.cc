// Four products of bytes to a lane by one instruction; where vectors have 16 bits two of codes that
// are widened to as many.
#include <immintrin.h>

#define PB_TILE_SUMS
#include "kernel/integer_tiles.h"

namespace pbatch {
namespace {

inline __m512i widened(const uint8_t* codes) {
  return _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes)));
}

inline void word_sums(const TileRun& run, int32_t* sums) {
  const uint8_t* tile = run.codes;
  const int16_t* x = run.x;
  __m512i a = _mm512_setzero_si512(), b = a;  // rows 0 .. 7 and 8 .. 15, two lanes a row
  for (int32_t k = 0; k < run.quads; ++k, tile += 64, x += 4) {
    int64_t four;
    memcpy(&four, x, sizeof four);
    const __m512i v = _mm512_set1_epi64(four);
    a = _mm512_dpwssd_epi32(a, widened(tile), v);
    b = _mm512_dpwssd_epi32(b, widened(tile + 32), v);
  }
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
  _mm512_storeu_si512(sums, _mm512_add_epi32(_mm512_permutex2var_epi32(a, even, b),
                                             _mm512_permutex2var_epi32(a, odd, b)));
}

inline __m512i four_columns(const uint8_t* x) {
  int32_t four;
  memcpy(&four, x, sizeof four);
  return _mm512_set1_epi32(four);
}

// Signed vectors: codes are the unsigned side.
inline void signed_sums(const TileRun& run, int32_t* sums) {
  const uint8_t* const tile = run.codes;
  __m512i a = _mm512_setzero_si512(), b = a;
  int32_t k = 0;
  for (; k + 1 < run.quads; k += 2) {
    a = _mm512_dpbusd_epi32(a, _mm512_loadu_si512(tile + 64 * k),
                            four_columns(run.x_bytes + 4 * k));
    b = _mm512_dpbusd_epi32(b, _mm512_loadu_si512(tile + 64 * k + 64),
                            four_columns(run.x_bytes + 4 * k + 4));
  }
  if (k < run.quads) {
    a = _mm512_dpbusd_epi32(a, _mm512_loadu_si512(tile + 64 * k),
                            four_columns(run.x_bytes + 4 * k));
  }
  _mm512_storeu_si512(sums, _mm512_add_epi32(a, b));
}

// Unsigned ones: codes less 128 are the signed side, and 128 times the sum of x is added again.
inline void unsigned_sums(const TileRun& run, int32_t* sums) {
  const __m512i top = _mm512_set1_epi8(static_cast<char>(-128)), one = _mm512_set1_epi8(1);
  __m512i a = _mm512_setzero_si512(), all = a;
  for (int32_t k = 0; k < run.quads; ++k) {
    const __m512i v = four_columns(run.x_bytes + 4 * k);
    a = _mm512_dpbusd_epi32(a, v, _mm512_xor_si512(_mm512_loadu_si512(run.codes + 64 * k), top));
    all = _mm512_dpbusd_epi32(all, v, one);
  }
  _mm512_storeu_si512(sums, _mm512_add_epi32(a, _mm512_slli_epi32(all, 7)));
}

inline void tile_sums(const pb_product* p, const TileRun& run, int32_t* sums) {
  if (p->bytes == 1) return signed_sums(run, sums);
  p->bytes == 2 ? unsigned_sums(run, sums) : word_sums(run, sums);
}

inline __m512i run_sums(const int32_t* sums, uint32_t less) {
  return _mm512_sub_epi32(_mm512_slli_epi32(_mm512_loadu_si512(sums), 1),
                          _mm512_set1_epi32(static_cast<int32_t>(less)));
}

inline void add_run(const int32_t* sums, const uint8_t* scales, uint32_t less, int32_t* acc) {
  const __m512i q = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(scales)));
  _mm512_storeu_si512(
      acc, _mm512_add_epi32(_mm512_loadu_si512(acc), _mm512_mullo_epi32(run_sums(sums, less), q)));
}

inline void add_run(const int32_t* sums, const uint8_t* scales, uint32_t less, int64_t* acc) {
  const __m512i s = run_sums(sums, less);
  const __m128i q = _mm_loadu_si128(reinterpret_cast<const __m128i*>(scales));
  const __m512i low =
      _mm512_mul_epi32(_mm512_cvtepi32_epi64(_mm512_castsi512_si256(s)), _mm512_cvtepu8_epi64(q));
  const __m512i high = _mm512_mul_epi32(_mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(s, 1)),
                                        _mm512_cvtepu8_epi64(_mm_srli_si128(q, 8)));
  _mm512_storeu_si512(acc, _mm512_add_epi64(_mm512_loadu_si512(acc), low));
  _mm512_storeu_si512(acc + 8, _mm512_add_epi64(_mm512_loadu_si512(acc + 8), high));
}

}  // namespace

extern const IntegerFns integer_avx512;
const IntegerFns integer_avx512 = kIntegerFns;

}  // namespace pbatch
