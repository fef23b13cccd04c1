// Codes of up to seven bits meet bytes of vectors in VPMADDUBSW, whose 16-bit sums of two products
// are added as long as they fit; wider ones, widened in place, 16-bit codes of vectors in VPMADDWD.
// Units of recurrent layers: eight at a time.
#include <immintrin.h>

#include "kernel/avx2/integer_lanes256.h"
#include "kernel/avx2/registers.h"
#include "kernel/integer_tiles.h"
#include "kernel/integer_units.h"

namespace pbatch {
namespace {

// What both methods share: eight rows.
struct EightRows {
  typedef __m256i Reg;
  static constexpr int kRows = 8, kAhead = 4096;

  static Reg zero() { return _mm256_setzero_si256(); }
  // What lies ahead; once for the two halves of 16 rows.
  static void fetch(const uint8_t* from) {
    _mm_prefetch(reinterpret_cast<const char*>(from) + kAhead, _MM_HINT_T0);
  }
  static Reg codes(const uint8_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  static Reg four_bytes(const void* x) {
    int32_t four;
    memcpy(&four, x, sizeof four);
    return _mm256_set1_epi32(four);
  }
  static Reg twice_less(Reg s, int32_t less) {
    return _mm256_sub_epi32(_mm256_slli_epi32(s, 1), _mm256_set1_epi32(less));
  }
  static Reg scales(const uint8_t* from) {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
  }
  static Reg add_product(Reg acc, Reg s, Reg q) {
    return _mm256_add_epi32(acc, _mm256_mullo_epi32(s, q));
  }
  static Reg low(Reg a) { return _mm256_cvtepi32_epi64(_mm256_castsi256_si128(a)); }
  static Reg high(Reg a) { return _mm256_cvtepi32_epi64(_mm256_extracti128_si256(a, 1)); }
  static Reg load(const void* from) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(from));
  }
  static void add(int64_t* to, Reg a, Reg b) {
    auto* const at = reinterpret_cast<__m256i*>(to);
    _mm256_storeu_si256(at, _mm256_add_epi64(load(at), a));
    _mm256_storeu_si256(at + 1, _mm256_add_epi64(load(at + 1), b));
  }
  static void add_wide(int64_t* to, Reg s, Reg q) {
    add(to, _mm256_mul_epi32(low(s), low(q)), _mm256_mul_epi32(high(s), high(q)));
  }
  static void add_wide(int64_t* to, Reg s) { add(to, low(s), high(s)); }

  // x >> shift of signed numbers of 64 bits: what the sign would fill in is subtracted again.
  static Reg shift_right(Reg x, Reg shift) {
    const Reg top = _mm256_set1_epi64x(INT64_MIN);
    return _mm256_sub_epi64(_mm256_srlv_epi64(_mm256_xor_si256(x, top), shift),
                            _mm256_srlv_epi64(top, shift));
  }

  static void finish_rows(const pb_product* p, const int64_t* offsets, int32_t row,
                          const int64_t* wide, int32_t* y) {
    const Reg lo = _mm256_set1_epi64x(p->lo), hi = _mm256_set1_epi64x(p->hi);
    for (int i = 0; i < kRows; i += 4) {
      Reg x = load(wide + i);
      if (offsets != nullptr) x = _mm256_add_epi64(x, load(offsets + row + i));
      if (p->bias != nullptr) x = _mm256_add_epi64(x, load(p->bias + row + i));
      // In each lane the multiplier, and the shift above it.
      const Reg d = load(p->to_result + row + i), shift = _mm256_srli_epi64(d, 32);
      const Reg upper = _mm256_mul_epu32(_mm256_srli_epi64(x, 32), d);
      const Reg scaled = _mm256_add_epi64(_mm256_mul_epu32(x, d), _mm256_slli_epi64(upper, 32));
      const Reg half = _mm256_srli_epi64(_mm256_sllv_epi64(_mm256_set1_epi64x(1), shift), 1);
      Reg result = shift_right(_mm256_add_epi64(scaled, half), shift);
      result = _mm256_blendv_epi8(result, lo, _mm256_cmpgt_epi64(lo, result));
      result = _mm256_blendv_epi8(result, hi, _mm256_cmpgt_epi64(result, hi));
      const Reg even =
          _mm256_permutevar8x32_epi32(result, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(y + i), _mm256_castsi256_si128(even));
    }
  }
};

// F bits a field, of `kSteps` sums of two products that fit 16 bits; ND bytes a code of a vector.
template <int F, int kSteps, int ND>
struct Bytes : EightRows {
  static constexpr bool kOffset = true;
  static constexpr int kFields = 8 / F, kVectors = 4 / ND;
  static constexpr int kUnits = 4 / ND, kBatchUnits = 1;
  static_assert(kSteps * 2 * 128 * ((F == 8 ? 128 / kSteps : 1 << F) - 1) < 32768);

  template <int NU, int NV>
  static inline void sums(const TileRun<NU, NV>& run, Reg made[NV][NU]) {
    const Reg ones = _mm256_set1_epi16(1), mask = _mm256_set1_epi8((char)((1 << F) - 1));
    Reg s[NV][ND][NU];
    PB_UNROLL for (int v = 0; v < NV; ++v) {
      PB_UNROLL for (int d = 0; d < ND; ++d) {
        PB_UNROLL for (int u = 0; u < NU; ++u) s[v][d][u] = zero();
      }
    }
    for (int32_t b = 0; b < run.blocks; ++b) {
      PB_UNROLL for (int first = 0; first < 8; first += kSteps) {
        Reg words[NV][ND][NU];
        PB_UNROLL for (int q = first; q < first + kSteps; ++q) {  // of four columns
          const int i = q / kFields, k = q % kFields;
          Reg u_codes[NU];
          PB_UNROLL for (int u = 0; u < NU; ++u) {
            const uint8_t* const from = run.codes[u] + b * run.block_bytes + 64 * i;
            if (k == 0 && u % 2 == 0) fetch(from);
            u_codes[u] = codes(from);
            if (k > 0) u_codes[u] = _mm256_srli_epi16(u_codes[u], F * k);
            if (F < 8) u_codes[u] = _mm256_and_si256(u_codes[u], mask);
          }
          PB_UNROLL for (int v = 0; v < NV; ++v) {
            PB_UNROLL for (int d = 0; d < ND; ++d) {
              const Reg x = four_bytes(run.x[v] + d * run.digit + kBlockColumns * b + 4 * q);
              PB_UNROLL for (int u = 0; u < NU; ++u) {
                const Reg product = _mm256_maddubs_epi16(u_codes[u], x);
                Reg& w = words[v][d][u];
                w = q == first ? product : in_register(_mm256_add_epi16(w, product));
              }
            }
          }
        }
        PB_UNROLL for (int v = 0; v < NV; ++v) {
          PB_UNROLL for (int d = 0; d < ND; ++d) {
            PB_UNROLL for (int u = 0; u < NU; ++u) {
              const Reg sum = _mm256_madd_epi16(words[v][d][u], ones);
              s[v][d][u] = in_register(_mm256_add_epi32(s[v][d][u], sum));
            }
          }
        }
      }
    }
    PB_UNROLL for (int v = 0; v < NV; ++v) {
      PB_UNROLL for (int u = 0; u < NU; ++u) {
        made[v][u] = ND == 1 ? s[v][0][u]
                             : _mm256_add_epi32(s[v][0][u], _mm256_slli_epi32(s[v][ND - 1][u], 8));
      }
    }
  }
  static int64_t column_bytes(const pb_product*) { return 1; }
  static void finish(const pb_product* p, int32_t row, const int64_t* wide, int32_t* y) {
    finish_rows(p, p->bytes == 1 ? nullptr : p->tile_offsets, row, wide, y);
  }
};

// Whole bytes.
struct Words : EightRows {
  static constexpr bool kOffset = false;
  static constexpr int kVectors = 4, kUnits = 4, kBatchUnits = 1;

  template <int NU, int NV>
  static inline void sums(const TileRun<NU, NV>& run, Reg made[NV][NU]) {
    const Reg low_bytes = _mm256_set1_epi16(0x00ff);
    PB_UNROLL for (int v = 0; v < NV; ++v) {
      PB_UNROLL for (int u = 0; u < NU; ++u) made[v][u] = zero();
    }
    for (int32_t b = 0; b < run.blocks; ++b) {
      PB_UNROLL for (int i = 0; i < 8; ++i) {
        Reg even[NU], odd[NU];
        PB_UNROLL for (int u = 0; u < NU; ++u) {
          const uint8_t* const from = run.codes[u] + b * run.block_bytes + 64 * i;
          if (u % 2 == 0) fetch(from);
          const Reg bytes = codes(from);
          even[u] = _mm256_and_si256(bytes, low_bytes);
          odd[u] = _mm256_srli_epi16(bytes, 8);
        }
        PB_UNROLL for (int v = 0; v < NV; ++v) {
          const uint8_t* const x = run.x[v] + 2 * (kBlockColumns * b + 4 * i);
          const Reg x_even = four_bytes(x), x_odd = four_bytes(x + 4);
          PB_UNROLL for (int u = 0; u < NU; ++u) {
            const Reg sum = _mm256_add_epi32(_mm256_madd_epi16(even[u], x_even),
                                             _mm256_madd_epi16(odd[u], x_odd));
            made[v][u] = in_register(_mm256_add_epi32(made[v][u], sum));
          }
        }
      }
    }
  }
  static int64_t column_bytes(const pb_product*) { return 2; }
  static void finish(const pb_product* p, int32_t row, const int64_t* wide, int32_t* y) {
    finish_rows(p, nullptr, row, wide, y);
  }
};

template <int F, int kSteps>
inline void multiply_fields(const pb_product* p, const void* packed, int32_t vectors, int32_t begin,
                            int32_t end, int32_t* y) {
  if (p->bytes != 0) {
    return multiply_vectors<Bytes<F, kSteps, 1>>(p, packed, vectors, begin, end, y);
  }
  multiply_vectors<Bytes<F, kSteps, 2>>(p, packed, vectors, begin, end, y);
}

void multiply_rows(const pb_product* p, const void* packed, int32_t vectors, int32_t begin,
                   int32_t end, int32_t* y) {
  if (p->tiles == nullptr) return pb_rows_by_codes(p, packed, vectors, begin, end, y);
  switch (p->bits) {
    case 1:
      return multiply_fields<1, 8>(p, packed, vectors, begin, end, y);
    case 2:
      return multiply_fields<2, 8>(p, packed, vectors, begin, end, y);
    case 4:
      return multiply_fields<4, 8>(p, packed, vectors, begin, end, y);
  }
  if (p->levels > 127) return multiply_vectors<Words>(p, packed, vectors, begin, end, y);
  if (p->levels > 63) return multiply_fields<8, 1>(p, packed, vectors, begin, end, y);
  if (p->levels > 31) return multiply_fields<8, 2>(p, packed, vectors, begin, end, y);
  multiply_fields<8, 4>(p, packed, vectors, begin, end, y);
}

void pack_vector(const pb_product* p, const int32_t* x, void* packed) {
  if (p->tiles == nullptr) return pb_pack(p, x, packed);
  p->levels > 127 ? pack_pairs(p, x, packed) : pack_bytes(p, x, packed);
}

constexpr pb_multiplier kMultiplier = {PB_VECTORS, pack_vector, multiply_rows, nullptr, nullptr};

}  // namespace

extern const IntegerFns integer_avx2;
const IntegerFns integer_avx2 = integer_fns({&kMultiplier, vector_units});

}  // namespace pbatch
