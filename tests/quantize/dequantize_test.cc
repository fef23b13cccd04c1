#include "quantize/dequantize.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "layout/pack.h"
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
        std::vector<float> row(static_cast<std::size_t>(cols));
        dequantize_row(*q->matrix, n, r, row.data());
        ASSERT_TRUE(std::equal(row.begin(), row.end(), plain->data<float>() + r * cols)) << r;
      }
    }
  }
}

// The worked example of docs/bit-layers.md.
TEST(Dequantize, TheExampleOfTheDocs) {
  const std::vector<std::uint16_t> codes{7, 2, 4, 0, 5, 7, 0, 3};
  std::vector<std::uint8_t> planes[3];
  std::uint8_t* pointers[3];
  BitMatrix m;
  for (int p = 0; p < 3; ++p) {
    planes[p].resize(static_cast<std::size_t>(plane_bytes(2, 4)));
    pointers[p] = planes[p].data();
    m.planes.emplace_back(planes[p]);
  }
  pack_planes(codes.data(), 2, 4, 3, pointers);
  std::vector<std::uint8_t> codebook(3 * 256, 0);
  codebook[1] = 140;
  codebook[256 + 1] = 144;
  codebook[512 + 1] = 128;
  const std::vector<std::uint8_t> group_codes{1, 1};
  const std::vector<float> row_scale{1.0f / 128, 1.0f / 256};
  m.rows = 2;
  m.cols = 4;
  m.planes_stored = m.codebook_widths = 3;
  m.codebook = codebook;
  m.group_codes = group_codes;
  m.row_scale = row_scale;
  const std::vector<float> expected[] = {
      {0.546875f, -0.546875f, 0.546875f, -0.546875f, 0.2734375f, 0.2734375f, -0.2734375f,
       -0.2734375f},
      {0.84375f, -0.28125f, 0.28125f, -0.84375f, 0.140625f, 0.421875f, -0.421875f, -0.140625f},
      {0.875f, -0.375f, 0.125f, -0.875f, 0.1875f, 0.4375f, -0.4375f, -0.0625f}};
  for (int n = 1; n <= 3; ++n) {
    const Result<Tensor> w = dequantize(m, n, false);
    ASSERT_TRUE(w);
    EXPECT_TRUE(std::ranges::equal(w->span<float>(), expected[n - 1])) << n;
  }
}

}  // namespace
}  // namespace pbatch
