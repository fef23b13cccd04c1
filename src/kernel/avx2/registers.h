// Registers of the kernels for AVX2. All in an unnamed namespace: see docs/kernels.md.
#pragma once

#include <immintrin.h>
#include <stdint.h>

namespace pbatch {
namespace {

// The sum as it is now: GCC would else collect the products of many steps before it adds them, and
// registers are too few for that.
inline __m256i in_register(__m256i sum) {
  __asm__("" : "+x"(sum));
  return sum;
}

// Scales of `count` times eight rows, as floats.
inline void unpack_scales(const uint8_t* scales, int64_t count, float* to) {
  for (int64_t eight = 0; eight < count; ++eight) {
    const __m128i bytes = _mm_loadl_epi64((const __m128i*)(scales + 8 * eight));
    _mm256_storeu_ps(to + 8 * eight, _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes)));
  }
}

}  // namespace
}  // namespace pbatch
