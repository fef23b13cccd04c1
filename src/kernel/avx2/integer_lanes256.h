// Eight numbers of 32 bits, as integer_units.h takes them.
#pragma once

#include <immintrin.h>

#include "kernel/integer_arithmetic.h"

namespace pbatch {
namespace {

struct Lanes {
  typedef __m256i Reg;
  static constexpr int kCount = 8;

  static Reg load(const int32_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  static void store(int32_t* to, Reg a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), a); }
  static Reg set(int32_t a) { return _mm256_set1_epi32(a); }
  static Reg add(Reg a, Reg b) { return _mm256_add_epi32(a, b); }
  static Reg sub(Reg a, Reg b) { return _mm256_sub_epi32(a, b); }
  static Reg min(Reg a, Reg b) { return _mm256_min_epi32(a, b); }
  static Reg max(Reg a, Reg b) { return _mm256_max_epi32(a, b); }
  static Reg magnitude(Reg a) { return _mm256_abs_epi32(a); }
  static Reg low_product(Reg a, Reg b) { return _mm256_mullo_epi32(a, b); }
  static Reg bits(Reg a, Reg mask) { return _mm256_and_si256(a, mask); }
  template <int n>
  static Reg left(Reg a) {
    return _mm256_slli_epi32(a, n);
  }
  template <int n>
  static Reg right(Reg a) {
    return _mm256_srai_epi32(a, n);
  }
  template <int n>
  static Reg right_unsigned(Reg a) {
    return _mm256_srli_epi32(a, n);
  }
  /// a where x >= 0, else -a.
  static Reg with_sign(Reg a, Reg x) {
    const Reg negative = _mm256_srai_epi32(x, 31);
    return _mm256_sub_epi32(_mm256_xor_si256(a, negative), negative);
  }
  /// a + b, limited to 32 bits.
  static Reg saturating_add(Reg a, Reg b) {
    const Reg sum = _mm256_add_epi32(a, b);
    const Reg wrapped = _mm256_and_si256(_mm256_xor_si256(a, sum), _mm256_xor_si256(b, sum));
    const Reg most = _mm256_xor_si256(_mm256_srai_epi32(a, 31), _mm256_set1_epi32(0x7fffffff));
    return _mm256_blendv_epi8(sum, most, _mm256_srai_epi32(wrapped, 31));
  }
  /// Entry i of a table of 16 bits in the lower half, entry i + 1 in the upper one.
  static Reg two_entries(const uint16_t* table, Reg i) {
    return _mm256_i32gather_epi32(reinterpret_cast<const int*>(table), i, 2);
  }
  /// round((a b + 2^n c d) 2^-15), which fits.
  template <int n>
  static Reg rounded_sum(Reg a, Reg b, Reg c, Reg d) {
    const Reg half = _mm256_set1_epi64x(1 << 14);
    const Reg even = sum<n>(a, b, c, d, half);
    const Reg odd = sum<n>(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32),
                           _mm256_srli_epi64(c, 32), _mm256_srli_epi64(d, 32), half);
    return _mm256_blend_epi32(_mm256_srli_epi64(even, 15), _mm256_slli_epi64(odd, 17), 0xaa);
  }

 private:
  template <int n>
  static Reg sum(Reg a, Reg b, Reg c, Reg d, Reg half) {
    const Reg second = _mm256_slli_epi64(_mm256_mul_epi32(c, d), n);
    return _mm256_add_epi64(_mm256_add_epi64(_mm256_mul_epi32(a, b), second), half);
  }
};

}  // namespace
}  // namespace pbatch
