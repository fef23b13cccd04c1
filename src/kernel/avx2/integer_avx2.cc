// Codes widened to 16 bits, two products to a lane; of up to seven bits with vectors of signed
// bytes four to a lane, whose sums of two fit 16 bits: 2 * 127 * 128.
#include <immintrin.h>

#define PB_TILE_SUMS
#include "kernel/integer_tiles.h"

namespace pbatch {
namespace {

inline __m256i widened(const uint8_t* codes) {
  return _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes)));
}

// Sums of eight rows, of two lanes a row each in a (rows 0 .. 3) and b (4 .. 7).
inline __m256i eight_rows(__m256i a, __m256i b) {
  return _mm256_permute4x64_epi64(_mm256_hadd_epi32(a, b), 0xd8);
}

inline void store_sums(int32_t* sums, __m256i low, __m256i high) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums), low);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + 8), high);
}

inline void word_sums(const TileRun& run, int32_t* sums) {
  const uint8_t* tile = run.codes;
  const int16_t* x = run.x;
  __m256i s0 = _mm256_setzero_si256(), s1 = s0, s2 = s0, s3 = s0;
  for (int32_t k = 0; k < run.quads; ++k, tile += 64, x += 4) {
    int64_t four;
    memcpy(&four, x, sizeof four);
    const __m256i v = _mm256_set1_epi64x(four);
    s0 = _mm256_add_epi32(s0, _mm256_madd_epi16(widened(tile), v));
    s1 = _mm256_add_epi32(s1, _mm256_madd_epi16(widened(tile + 16), v));
    s2 = _mm256_add_epi32(s2, _mm256_madd_epi16(widened(tile + 32), v));
    s3 = _mm256_add_epi32(s3, _mm256_madd_epi16(widened(tile + 48), v));
  }
  store_sums(sums, eight_rows(s0, s1), eight_rows(s2, s3));
}

inline void byte_sums(const TileRun& run, int32_t* sums) {
  const uint8_t* tile = run.codes;
  const uint8_t* x = run.x_bytes;
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i a = _mm256_setzero_si256(), b = a;
  for (int32_t k = 0; k < run.quads; ++k, tile += 64, x += 4) {
    int32_t four;
    memcpy(&four, x, sizeof four);
    const __m256i v = _mm256_set1_epi32(four);
    const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(tile));
    const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(tile + 32));
    a = _mm256_add_epi32(a, _mm256_madd_epi16(_mm256_maddubs_epi16(low, v), ones));
    b = _mm256_add_epi32(b, _mm256_madd_epi16(_mm256_maddubs_epi16(high, v), ones));
  }
  store_sums(sums, a, b);
}

inline void tile_sums(const pb_product* p, const TileRun& run, int32_t* sums) {
  p->bytes == 1 && p->levels <= 127 ? byte_sums(run, sums) : word_sums(run, sums);
}

inline __m256i load_eight(const int32_t* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

// Of eight rows.
inline __m256i run_sums(const int32_t* sums, uint32_t less) {
  return _mm256_sub_epi32(_mm256_slli_epi32(load_eight(sums), 1),
                          _mm256_set1_epi32(static_cast<int32_t>(less)));
}

inline void add_run(const int32_t* sums, const uint8_t* scales, uint32_t less, int32_t* acc) {
  for (int r = 0; r < PB_TILE_ROWS; r += 8) {
    const __m256i q =
        _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(scales + r)));
    const __m256i sum =
        _mm256_add_epi32(load_eight(acc + r), _mm256_mullo_epi32(run_sums(sums + r, less), q));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(acc + r), sum);
  }
}

inline void add_run(const int32_t* sums, const uint8_t* scales, uint32_t less, int64_t* acc) {
  for (int r = 0; r < PB_TILE_ROWS; r += 8) {
    const __m256i s = run_sums(sums + r, less);
    const __m128i q = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(scales + r));
    const __m256i low =
        _mm256_mul_epi32(_mm256_cvtepi32_epi64(_mm256_castsi256_si128(s)), _mm256_cvtepu8_epi64(q));
    const __m256i high = _mm256_mul_epi32(_mm256_cvtepi32_epi64(_mm256_extracti128_si256(s, 1)),
                                          _mm256_cvtepu8_epi64(_mm_srli_si128(q, 4)));
    auto* const to = reinterpret_cast<__m256i*>(acc + r);
    _mm256_storeu_si256(to, _mm256_add_epi64(_mm256_loadu_si256(to), low));
    _mm256_storeu_si256(to + 1, _mm256_add_epi64(_mm256_loadu_si256(to + 1), high));
  }
}

}  // namespace

extern const IntegerFns integer_avx2;
const IntegerFns integer_avx2 = kIntegerFns;

}  // namespace pbatch
