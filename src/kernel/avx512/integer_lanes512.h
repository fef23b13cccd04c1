// 16 numbers of 32 bits, as integer_units.h takes them.
#pragma once

#include <immintrin.h>

#include "kernel/integer_arithmetic.h"

namespace pbatch {
namespace {

struct Lanes {
  typedef __m512i Reg;
  static constexpr int kCount = 16;

  static Reg load(const int32_t* from) { return _mm512_loadu_si512(from); }
  static void store(int32_t* to, Reg a) { _mm512_storeu_si512(to, a); }
  static Reg set(int32_t a) { return _mm512_set1_epi32(a); }
  static Reg add(Reg a, Reg b) { return _mm512_add_epi32(a, b); }
  static Reg sub(Reg a, Reg b) { return _mm512_sub_epi32(a, b); }
  static Reg min(Reg a, Reg b) { return _mm512_min_epi32(a, b); }
  static Reg max(Reg a, Reg b) { return _mm512_max_epi32(a, b); }
  static Reg magnitude(Reg a) { return _mm512_abs_epi32(a); }
  static Reg low_product(Reg a, Reg b) { return _mm512_mullo_epi32(a, b); }
  static Reg bits(Reg a, Reg mask) { return _mm512_and_si512(a, mask); }
  template <int n>
  static Reg left(Reg a) {
    return _mm512_slli_epi32(a, n);
  }
  template <int n>
  static Reg right(Reg a) {
    return _mm512_srai_epi32(a, n);
  }
  template <int n>
  static Reg right_unsigned(Reg a) {
    return _mm512_srli_epi32(a, n);
  }
  /// a where x >= 0, else -a.
  static Reg with_sign(Reg a, Reg x) {
    return _mm512_mask_sub_epi32(a, _mm512_movepi32_mask(x), _mm512_setzero_si512(), a);
  }
  /// a + b, limited to 32 bits.
  static Reg saturating_add(Reg a, Reg b) {
    const Reg sum = _mm512_add_epi32(a, b);
    const Reg wrapped = _mm512_and_si512(_mm512_xor_si512(a, sum), _mm512_xor_si512(b, sum));
    const Reg most = _mm512_xor_si512(_mm512_srai_epi32(a, 31), _mm512_set1_epi32(0x7fffffff));
    return _mm512_mask_mov_epi32(sum, _mm512_movepi32_mask(wrapped), most);
  }
  /// Entry i of a table of 16 bits in the lower half, entry i + 1 in the upper one.
  static Reg two_entries(const uint16_t* table, Reg i) {
    return _mm512_i32gather_epi32(i, table, 2);
  }
  /// round((a b + 2^n c d) 2^-15), which fits.
  template <int n>
  static Reg rounded_sum(Reg a, Reg b, Reg c, Reg d) {
    const Reg half = _mm512_set1_epi64(1 << 14);
    const Reg even = sum<n>(a, b, c, d, half);
    const Reg odd = sum<n>(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32),
                           _mm512_srli_epi64(c, 32), _mm512_srli_epi64(d, 32), half);
    return _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 15), _mm512_slli_epi64(odd, 17));
  }

 private:
  template <int n>
  static Reg sum(Reg a, Reg b, Reg c, Reg d, Reg half) {
    const Reg second = _mm512_slli_epi64(_mm512_mul_epi32(c, d), n);
    return _mm512_add_epi64(_mm512_add_epi64(_mm512_mul_epi32(a, b), second), half);
  }
};

}  // namespace
}  // namespace pbatch
