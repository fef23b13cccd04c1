#include "cascade/batch.h"

#include <gtest/gtest.h>

#include "tests/support/networks.h"

namespace pbatch {
namespace {

using testing::tensor_of;

std::vector<float> values_of(const Tensor& t) {
  return {t.span<float>().begin(), t.span<float>().end()};
}

TEST(Batch, GathersAndScattersAlongAnAxis) {
  const Tensor x = tensor_of({2, 3, 2}, {0, 1, 10, 11, 20, 21, /**/ 100, 101, 110, 111, 120, 121});
  const std::vector<std::int64_t> which{2, 0};
  const auto some = gather_items(x, 1, which);
  ASSERT_TRUE(some);
  EXPECT_EQ(some->shape(), (Shape{2, 2, 2}));
  EXPECT_EQ(values_of(*some), (std::vector<float>{20, 21, 0, 1, 120, 121, 100, 101}));
  Tensor to = tensor_of({2, 3, 2}, std::vector<float>(12, -1));
  scatter_items(*some, 1, which, to);
  EXPECT_EQ(values_of(to),
            (std::vector<float>{0, 1, -1, -1, 20, 21, /**/ 100, 101, -1, -1, 120, 121}));
}

TEST(Batch, CountsItemsOfInputsThatHaveSome) {
  const std::vector<NamedTensor> inputs{{"x", tensor_of({4, 2}, std::vector<float>(8))},
                                        {"rate", tensor_of({}, {1})},
                                        {"state", tensor_of({2, 4, 1}, std::vector<float>(8))}};
  const auto wrong = count_items(inputs, {});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.status().code(), ErrorCode::shape_mismatch);
  EXPECT_EQ(*count_items(inputs, {{"state", 1}}), 4);
  EXPECT_EQ(*count_items(inputs, {{"state", -1}}), 4);
  EXPECT_FALSE(count_items(inputs, {{"state", 5}}));
  EXPECT_FALSE(count_items(inputs, {{"state", -1}, {"x", -1}}));
}

TEST(Batch, IsFixedWherePortsFixIt) {
  const PortInfo free{"x", DType::f32, {-1, 8}, {}}, one{"h", DType::f32, {2, 3, 8}, {}};
  EXPECT_EQ(*fixed_batch({free}, {}), 0);
  EXPECT_EQ(*fixed_batch({free, one}, {{"h", 1}}), 3);
  EXPECT_FALSE(fixed_batch({one, {"y", DType::f32, {4}, {}}}, {}));
}

}  // namespace
}  // namespace pbatch
