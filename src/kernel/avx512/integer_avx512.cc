// Four products of bytes to a lane by one instruction, straight from fields in place: their sums
// are shifted once a run. Units of recurrent layers: 16 at a time.
#include <immintrin.h>

#include "kernel/avx512/integer_lanes512.h"
#include "kernel/integer_tiles.h"
#include "kernel/integer_units.h"

namespace pbatch {
namespace {

// Loaded once, not for each field.
inline __m512i in_register(__m512i a) {
  __asm__("" : "+v"(a));
  return a;
}

// F bits a field, ND bytes a code of a vector.
template <int F, int ND>
struct Digits {
  typedef __m512i Reg;
  static constexpr bool kOffset = true;
  static constexpr int kRows = 16, kFields = 8 / F;
  static constexpr int kVectors = F == 1 ? (ND == 1 ? 2 : 1) : 4 / ND;
  // Sums in registers: at most 16.
  static constexpr int units(int vectors) {
    const int n = 16 / (kFields * ND * vectors);
    return n > 4 ? 4 : n < 1 ? 1 : n;
  }
  static constexpr int kUnits = units(1), kBatchUnits = units(kVectors);
  static constexpr int kAhead = 8192;

  static Reg zero() { return _mm512_setzero_si512(); }

  static __m512i four_columns(const uint8_t* x) {
    int32_t four;
    memcpy(&four, x, sizeof four);
    return _mm512_set1_epi32(four);
  }

  template <int NU, int NV>
  static inline void sums(const TileRun<NU, NV>& run, Reg made[NV][NU]) {
    Reg s[NV][NU][ND][kFields];
    PB_UNROLL for (int v = 0; v < NV; ++v) {
      PB_UNROLL for (int u = 0; u < NU; ++u) {
        PB_UNROLL for (int d = 0; d < ND; ++d) {
          PB_UNROLL for (int k = 0; k < kFields; ++k) s[v][u][d][k] = zero();
        }
      }
    }
    for (int32_t b = 0; b < run.blocks; ++b) {
      PB_UNROLL for (int i = 0; i < F; ++i) {
        Reg bytes[NU];
        PB_UNROLL for (int u = 0; u < NU; ++u) {
          const uint8_t* const from = run.codes[u] + b * run.block_bytes + 64 * i;
          _mm_prefetch(reinterpret_cast<const char*>(from) + kAhead, _MM_HINT_T0);
          bytes[u] =
              kFields == 1 ? _mm512_loadu_si512(from) : in_register(_mm512_loadu_si512(from));
        }
        PB_UNROLL for (int k = 0; k < kFields; ++k) {
          const Reg mask = _mm512_set1_epi8(static_cast<char>(((1 << F) - 1) << (F * k)));
          Reg u_codes[NU];
          PB_UNROLL for (int u = 0; u < NU; ++u) {
            u_codes[u] = kFields == 1 ? bytes[u] : _mm512_and_si512(bytes[u], mask);
          }
          PB_UNROLL for (int v = 0; v < NV; ++v) {
            PB_UNROLL for (int d = 0; d < ND; ++d) {
              const Reg x = four_columns(run.x[v] + d * run.digit + kBlockColumns * b +
                                         4 * (kFields * i + k));
              PB_UNROLL for (int u = 0; u < NU; ++u) {
                s[v][u][d][k] = _mm512_dpbusd_epi32(s[v][u][d][k], u_codes[u], x);
              }
            }
          }
        }
      }
    }
    PB_UNROLL for (int v = 0; v < NV; ++v) {
      PB_UNROLL for (int u = 0; u < NU; ++u) {
        Reg digits[ND];
        PB_UNROLL for (int d = 0; d < ND; ++d) {
          digits[d] = s[v][u][d][0];
          PB_UNROLL for (int k = 1; k < kFields; ++k) {
            digits[d] = _mm512_add_epi32(digits[d], _mm512_srai_epi32(s[v][u][d][k], F * k));
          }
        }
        made[v][u] =
            ND == 1 ? digits[0] : _mm512_add_epi32(digits[0], _mm512_slli_epi32(digits[ND - 1], 8));
      }
    }
  }

  static Reg twice_less(Reg s, int32_t less) {
    return _mm512_sub_epi32(_mm512_slli_epi32(s, 1), _mm512_set1_epi32(less));
  }
  static Reg scales(const uint8_t* from) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }
  static Reg add_product(Reg acc, Reg s, Reg q) {
    return _mm512_add_epi32(acc, _mm512_mullo_epi32(s, q));
  }
  static __m512i low(Reg a) { return _mm512_cvtepi32_epi64(_mm512_castsi512_si256(a)); }
  static __m512i high(Reg a) { return _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(a, 1)); }
  static void add(int64_t* to, __m512i a, __m512i b) {
    _mm512_storeu_si512(to, _mm512_add_epi64(_mm512_loadu_si512(to), a));
    _mm512_storeu_si512(to + 8, _mm512_add_epi64(_mm512_loadu_si512(to + 8), b));
  }
  static void add_wide(int64_t* to, Reg s, Reg q) {
    add(to, _mm512_mul_epi32(low(s), low(q)), _mm512_mul_epi32(high(s), high(q)));
  }
  static void add_wide(int64_t* to, Reg s) { add(to, low(s), high(s)); }
  static int64_t column_bytes(const pb_product*) { return 1; }

  static void finish(const pb_product* p, int32_t row, const int64_t* wide, int32_t* y) {
    const __m512i lo = _mm512_set1_epi64(p->lo), hi = _mm512_set1_epi64(p->hi);
    for (int i = 0; i < kRows; i += 8) {
      __m512i x = _mm512_loadu_si512(wide + i);
      if (p->bytes != 1) x = _mm512_add_epi64(x, _mm512_loadu_si512(p->tile_offsets + row + i));
      if (p->bias != nullptr) x = _mm512_add_epi64(x, _mm512_loadu_si512(p->bias + row + i));
      // In each lane the multiplier, and the shift above it.
      const __m512i d = _mm512_loadu_si512(p->to_result + row + i),
                    shift = _mm512_srli_epi64(d, 32);
      const __m512i high = _mm512_mul_epu32(_mm512_srli_epi64(x, 32), d);
      const __m512i scaled = _mm512_add_epi64(_mm512_mul_epu32(x, d), _mm512_slli_epi64(high, 32));
      const __m512i half = _mm512_srli_epi64(_mm512_sllv_epi64(_mm512_set1_epi64(1), shift), 1);
      const __m512i result = _mm512_srav_epi64(_mm512_add_epi64(scaled, half), shift);
      const __m512i limited = _mm512_min_epi64(_mm512_max_epi64(result, lo), hi);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(y + i), _mm512_cvtepi64_epi32(limited));
    }
  }
};

template <int F>
inline void multiply_fields(const pb_product* p, const void* packed, int32_t vectors, int32_t begin,
                            int32_t end, int32_t* y) {
  if (p->bytes != 0) return multiply_vectors<Digits<F, 1>>(p, packed, vectors, begin, end, y);
  multiply_vectors<Digits<F, 2>>(p, packed, vectors, begin, end, y);
}

void multiply_rows(const pb_product* p, const void* packed, int32_t vectors, int32_t begin,
                   int32_t end, int32_t* y) {
  if (p->tiles == nullptr) return pb_rows_by_codes(p, packed, vectors, begin, end, y);
  switch (p->bits) {
    case 1:
      return multiply_fields<1>(p, packed, vectors, begin, end, y);
    case 2:
      return multiply_fields<2>(p, packed, vectors, begin, end, y);
    case 4:
      return multiply_fields<4>(p, packed, vectors, begin, end, y);
    default:
      return multiply_fields<8>(p, packed, vectors, begin, end, y);
  }
}

void pack_vector(const pb_product* p, const int32_t* x, void* packed) {
  p->tiles == nullptr ? pb_pack(p, x, packed) : pack_bytes(p, x, packed);
}

constexpr pb_multiplier kMultiplier = {PB_VECTORS, pack_vector, multiply_rows, nullptr, nullptr};

}  // namespace

extern const IntegerFns integer_avx512;
const IntegerFns integer_avx512 = integer_fns({&kMultiplier, vector_units});

}  // namespace pbatch
