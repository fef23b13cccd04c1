// When a convolution leaves bits for float.
#include "plan/float_convolution.h"

#include <gtest/gtest.h>

namespace pbatch {
namespace {

#if defined(__x86_64__)
// 8 bits of AVX2 multiply more slowly than its floats; windows that overlap cost a gathering, too.
TEST(FloatConvolution, IsFasterThanWideBitsOnAvx2) {
  EXPECT_TRUE(float_convolution_is_faster(64, 576, 9, 8, 8, Isa::avx2));
  EXPECT_TRUE(float_convolution_is_faster(128, 6912, 108, 8, 8, Isa::avx2));
  EXPECT_TRUE(float_convolution_is_faster(8, 72, 9, 4, 8, Isa::avx2));
}

TEST(FloatConvolution, IsSlowerThanFewBitsOfManyChannels) {
  EXPECT_FALSE(float_convolution_is_faster(512, 512, 1, 2, 8, Isa::avx512));
  EXPECT_FALSE(float_convolution_is_faster(512, 512, 1, 4, 8, Isa::avx2));
}
#endif

// Fewer columns to gather for the same products never speak for float.
TEST(FloatConvolution, KnowsThatWindowsCostWhereTheyOverlap) {
  for (const std::int64_t rows : {8, 64, 512}) {
    for (int bits = 1; bits <= 8; ++bits) {
      const bool pixels = float_convolution_is_faster(rows, 576, 1, bits, 8, Isa::generic);
      const bool windows = float_convolution_is_faster(rows, 576, 9, bits, 8, Isa::generic);
      EXPECT_TRUE(!pixels || windows) << rows << " rows, " << bits << " bits";
    }
  }
}

}  // namespace
}  // namespace pbatch
