// Normalizations and Softmax against closed forms.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/one_op.h"

namespace pbatch::testing {
namespace {

TEST(BatchNormalization, ScalesAndShiftsEachChannel) {
  const auto op = [](OneOp o) {
    return o.attr("epsilon", 1.0F)
        .input(floats({1, 2, 2}, {1, 2, 3, 4}))
        .constant(floats({2}, {2, 4}))
        .constant(floats({2}, {10, 20}))
        .constant(floats({2}, {1, 3}))
        .constant(floats({2}, {3, 15}));
  };
  expect_near(op(OneOp("BatchNormalization", 15)).result(), {1, 2, 2}, {10, 11, 20, 21});
  EXPECT_EQ(op(OneOp("BatchNormalization", 15).attr("training_mode", std::int64_t{1}))
                .run()
                .status()
                .code(),
            ErrorCode::unsupported);
  EXPECT_EQ(op(OneOp("BatchNormalization", 15)).run(3).status().code(), ErrorCode::unsupported);
}

TEST(BatchNormalization, RefusesShapesThatDoNotFit) {
  OneOp op("BatchNormalization", 15);
  op.input(floats({1, 2, 1}, {1, 2}));
  for (int i = 0; i < 4; ++i) op.constant(floats({1}, {1}));
  EXPECT_EQ(op.run().status().code(), ErrorCode::shape_mismatch);
}

TEST(LayerNormalization, NormalizesTheLastDimensions) {
  // Mean 2, deviation 1 / sqrt(0.5) with epsilon 1: (x - 2) / sqrt(1 + 1).
  OneOp op("LayerNormalization", 17);
  op.attr("epsilon", 1.0F)
      .input(floats({2, 2}, {1, 3, 5, 7}))
      .constant(floats({2}, {1, 2}))
      .constant(floats({2}, {0, 1}));
  const Result<std::vector<Tensor>> y = op.run(3);
  ASSERT_TRUE(y) << y.status().to_line();
  const float s = 1.0F / std::sqrt(2.0F);
  expect_near((*y)[0], {2, 2}, {-s, 2 * s + 1, -s, 2 * s + 1}, 1e-6F);
  expect_near((*y)[1], {2, 1}, {2, 6}, 1e-6F);
  expect_near((*y)[2], {2, 1}, {s, s}, 1e-6F);
}

TEST(LayerNormalization, StartsAtTheAxis) {
  OneOp op("LayerNormalization", 17);
  op.attr("axis", std::int64_t{1}).attr("epsilon", 0.0F);
  op.input(floats({1, 2, 2}, {1, 1, 3, 3})).constant(floats({2, 2}, {1, 2, 3, 4}));
  expect_near(op.result(), {1, 2, 2}, {-1, -2, 3, 4}, 1e-6F);
  OneOp wrong("LayerNormalization", 17);
  wrong.input(floats({1, 2}, {1, 1})).constant(floats({3}, {1, 2, 3}));
  EXPECT_EQ(wrong.run().status().code(), ErrorCode::shape_mismatch);
}

TEST(InstanceNormalization, NormalizesEachChannelOfEachImage) {
  OneOp op("InstanceNormalization");
  op.attr("epsilon", 0.0F)
      .input(floats({1, 2, 2}, {1, 3, 10, 30}))
      .constant(floats({2}, {1, 2}))
      .constant(floats({2}, {5, 6}));
  expect_near(op.result(), {1, 2, 2}, {4, 6, 4, 8}, 1e-5F);
}

TEST(GroupNormalization, NormalizesGroupsOfChannels) {
  const auto op = [](int opset, const Tensor& scale, const Tensor& bias) {
    OneOp o("GroupNormalization", opset);
    o.attr("num_groups", std::int64_t{1}).attr("epsilon", 0.0F);
    return o.input(floats({1, 2, 1}, {1, 3})).constant(scale).constant(bias).result();
  };
  expect_near(op(18, floats({1}, {2}), floats({1}, {1})), {1, 2, 1}, {-1, 3}, 1e-5F);
  expect_near(op(21, floats({2}, {2, 3}), floats({2}, {1, 0})), {1, 2, 1}, {-1, 3}, 1e-5F);
}

TEST(Softmax, SumsToOneAlongItsAxis) {
  const float l2 = std::log(2.0F), l3 = std::log(3.0F);
  const Tensor x = floats({2, 2}, {0, l3, l2, l2});
  expect_near(OneOp("Softmax", 13).input(x).result(), {2, 2}, {0.25F, 0.75F, 0.5F, 0.5F}, 1e-6F);
  expect_near(OneOp("Softmax", 13).attr("axis", std::int64_t{0}).input(x).result(), {2, 2},
              {1.0F / 3, 0.6F, 2.0F / 3, 0.4F}, 1e-6F);
  expect_near(OneOp("LogSoftmax", 13).input(x).result(), {2, 2}, {-2 * l2, l3 - 2 * l2, -l2, -l2},
              1e-6F);
}

TEST(Softmax, FlattensBeforeOpset13) {
  const float l3 = std::log(3.0F);
  const Tensor x = floats({1, 2, 2}, {0, 0, 0, l3});
  expect_near(OneOp("Softmax", 11).input(x).result(), {1, 2, 2},
              {1.0F / 6, 1.0F / 6, 1.0F / 6, 0.5F}, 1e-6F);
  expect_near(OneOp("Softmax", 13).input(x).result(), {1, 2, 2}, {0.5F, 0.5F, 0.25F, 0.75F}, 1e-6F);
}

TEST(Softmax, StandsGreatNumbersAndMasks) {
  const float inf = std::numeric_limits<float>::infinity();
  expect_near(OneOp("Softmax", 13).input(floats({3}, {1e30F, 1e30F, -inf})).result(), {3},
              {0.5F, 0.5F, 0.0F}, 1e-6F);
  const Tensor y = OneOp("Softmax", 13).input(floats({2}, {1, NAN})).result();
  for (const float v : values_of(y)) EXPECT_TRUE(std::isnan(v));
}

TEST(Softmax, RefusesAnAxisOutOfRange) {
  const Tensor x = floats({2}, {1, 2});
  EXPECT_EQ(OneOp("Softmax", 13).attr("axis", std::int64_t{1}).input(x).run().status().code(),
            ErrorCode::shape_mismatch);
}

}  // namespace
}  // namespace pbatch::testing
