#include "quantize/dequantize.h"

#include <gtest/gtest.h>

#include "quantize/quantize_matrix.h"
#include "tests/quantize/naive_decoder.h"

namespace pbatch {
namespace {

TEST(Dequantize, EveryPrefixEqualsTheFormula) {
  for (const int group : {32, 64, 128, 0}) {
    const std::int64_t rows = 21, cols = 150;
    const std::vector<float> w = testing::gaussian(rows * cols, 1);
    const auto q = quantize_matrix({w.data(), rows, cols, cols, 1}, 16, group, nullptr);
    ASSERT_TRUE(q);
    for (int n = 1; n <= 16; ++n) {
      const Result<Tensor> plain = dequantize(*q->matrix, n, false);
      const Result<Tensor> turned = dequantize(*q->matrix, n, true);
      ASSERT_TRUE(plain && turned);
      ASSERT_EQ(plain->shape(), (Shape{rows, cols}));
      ASSERT_EQ(turned->shape(), (Shape{cols, rows}));
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t c = 0; c < cols; ++c) {
          // Exact in double but for one rounding to float.
          const auto expected = static_cast<float>(testing::decode_weight(*q->matrix, n, r, c));
          ASSERT_EQ(plain->data<float>()[r * cols + c], expected) << n << ": " << r << ", " << c;
          ASSERT_EQ(turned->data<float>()[c * rows + r], expected);
        }
      }
    }
  }
}

}  // namespace
}  // namespace pbatch
