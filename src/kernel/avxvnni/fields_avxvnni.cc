// Fields on AVX2 with VNNI: whole weights (kLayoutFields) go from memory into VPDPBUSD.
//
// The row blocks of a band share the bytes and are told apart by nested masks: the sum with the
// bits below some place is subtracted, once a run, from the sum with the bits below the next.
#include <immintrin.h>
#include <stdint.h>

#include "kernel/fields256.h"

namespace pbatch {
namespace {

struct NestedMasks {
  static constexpr int kPassSums = 12, kVectors = 6;
  static constexpr int bands(int field_bits, int digits) {
    if (field_bits == 8) return digits == 1 ? 4 : 3;
    return field_bits == 4 || (field_bits == 2 && digits > 1) ? 3 : 1;
  }
  static constexpr bool kWholeHalves = false;

  template <class T, int kFirst>
  static inline void sum_run(T& t, int row_half, int64_t begin, int64_t end) {
    PassSums<T> sums;
    clear_sums(sums);
    for (int64_t block = begin; block < end; ++block) {
#pragma GCC unroll 8
      for (int v = 0; v < 8; ++v) multiply_four<T, kFirst, false>(t, row_half, block, v, sums);
    }
    store_sums<T, kFirst>(sums, row_half, t);
  }

  // The bits of the row blocks from the m-th on.
  template <class T, int m>
  static inline __m256i weights(__m256i bytes) {
    if constexpr (m == 0) return bytes;
    return _mm256_and_si256(bytes, _mm256_set1_epi8((char)(0xff >> (T::kFieldBits * m))));
  }

  template <bool /*kFresh*/>
  static inline __m256i add(__m256i sum, __m256i weights, __m256i x) {
    return _mm256_dpbusd_avx_epi32(sum, weights, x);
  }

  template <class T>
  static inline __m256i twice_products(const __m256i* sums, int m) {
    if (m + 1 == T::kMasks) return _mm256_add_epi32(sums[m], sums[m]);
    const int place = 8 - T::kFieldBits * (m + 1);
    return _mm256_srai_epi32(_mm256_sub_epi32(sums[m], sums[m + 1]), place - 1);
  }
};

}  // namespace

void fields_avxvnni_run(const BitKernelArgs* args, int64_t row_block_begin, int64_t row_block_end) {
  if (row_block_begin >= row_block_end) return;
  switch (field_bits(args->n_planes, args->row_blocks)) {
    case 1:
      return run_field_width<NestedMasks, 1>(args, row_block_begin, row_block_end);
    case 2:
      return run_field_width<NestedMasks, 2>(args, row_block_begin, row_block_end);
    case 4:
      return run_field_width<NestedMasks, 4>(args, row_block_begin, row_block_end);
    default:
      return run_field_width<NestedMasks, 8>(args, row_block_begin, row_block_end);
  }
}

}  // namespace pbatch
