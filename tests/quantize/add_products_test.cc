#include "quantize/add_products.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/quantize/naive_decoder.h"

namespace pbatch {
namespace {

// Every element by itself, products added one after the other: the same bits are promised.
TEST(AddProducts, SumsInTheOrderOfTheDepth) {
  for (const std::int64_t vectors : {1, 2, 3, 7}) {
    for (const std::int64_t depth : {1, 5, 64, 131}) {
      for (const std::int64_t cols : {1, 15, 16, 40}) {
        const std::int64_t ld_a = depth + 3, ld_b = cols + 5, ld_out = cols + 2;
        const std::vector<float> a = testing::gaussian(vectors * ld_a, 1);
        const std::vector<float> b = testing::gaussian(depth * ld_b, 2);
        std::vector<float> out = testing::gaussian(vectors * ld_out, 3);
        std::vector<float> expected = out;
        for (std::int64_t v = 0; v < vectors; ++v) {
          for (std::int64_t k = 0; k < cols; ++k) {
            for (std::int64_t j = 0; j < depth; ++j) {
              const float product = a[static_cast<std::size_t>(v * ld_a + j)] *
                                    b[static_cast<std::size_t>(j * ld_b + k)];
              expected[static_cast<std::size_t>(v * ld_out + k)] += product;
            }
          }
        }
        add_products(a.data(), ld_a, b.data(), ld_b, vectors, depth, cols, out.data(), ld_out);
        EXPECT_EQ(out, expected) << vectors << " x " << depth << " x " << cols;
      }
    }
  }
}

}  // namespace
}  // namespace pbatch
