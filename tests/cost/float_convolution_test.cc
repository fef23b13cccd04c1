// When a convolution leaves bits for float.
#include "cost/float_convolution.h"

#include <gtest/gtest.h>

namespace pbatch {
namespace {

ConvolutionSize shape_of(std::int64_t rows, std::int64_t channels, std::int64_t kernel) {
  return {.rows = rows,
          .channels = channels,
          .taps = kernel * kernel,
          .kernel_rows = kernel,
          .run_blocks = 2};
}

#if defined(__x86_64__)
// 8 bits of AVX2 multiply hardly faster than its floats.
TEST(FloatConvolution, IsFasterThanWideBitsOnAvx2) {
  EXPECT_TRUE(float_convolution_is_faster(shape_of(64, 64, 3), 8, 8, Isa::avx2));
  EXPECT_TRUE(float_convolution_is_faster(shape_of(128, 64, 3), 8, 16, Isa::avx2));
  EXPECT_TRUE(float_convolution_is_faster(shape_of(8, 8, 3), 4, 8, Isa::avx2));
}

TEST(FloatConvolution, IsSlowerThanFewBitsOfManyChannels) {
  EXPECT_FALSE(float_convolution_is_faster(shape_of(512, 512, 1), 2, 8, Isa::avx512));
  EXPECT_FALSE(float_convolution_is_faster(shape_of(512, 512, 1), 4, 8, Isa::avx2));
  EXPECT_FALSE(float_convolution_is_faster(shape_of(128, 128, 3), 4, 8, Isa::avx2));
}

TEST(FloatConvolution, IsSlowerThanBytesOfVnni) {
  EXPECT_FALSE(float_convolution_is_faster(shape_of(64, 64, 3), 8, 8, Isa::avx512));
  EXPECT_FALSE(float_convolution_is_faster(shape_of(64, 3, 7), 8, 8, Isa::avx512));
}
#endif

// More rows of the kernel and shorter runs never speak for bits.
TEST(FloatConvolution, KnowsWhatWindowsCost) {
  for (const std::int64_t rows : {8, 64, 512}) {
    for (int bits = 1; bits <= 8; ++bits) {
      const ConvolutionSize shape = shape_of(rows, 64, 3);
      if (!float_convolution_is_faster(shape, bits, 8, Isa::generic)) continue;
      ConvolutionSize harder = shape;
      harder.kernel_rows = 9;
      harder.run_blocks = 1;
      EXPECT_TRUE(float_convolution_is_faster(harder, bits, 8, Isa::generic)) << rows;
    }
  }
}

}  // namespace
}  // namespace pbatch
