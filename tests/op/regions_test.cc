// RoiAlign and its kin, Col2Im and DeformConv: what ONNX Runtime has no answer for, and errors.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/data_ops.h"
#include "tests/support/networks.h"

namespace pbatch::testing {
namespace {

OneOp aligned(const std::vector<float>& roi, std::int64_t batch = 0) {
  OneOp op("RoiAlign", 16);
  return op.input(counted({1, 1, 4, 4})).input(floats({1, 4}, roi)).input(int64s({batch}));
}

TEST(RoiAlign, IsExactOnALinearImage) {
  // The image is 4 y + x; a region's mean is its value in the middle.
  expect_near(aligned({1, 1, 3, 3}).result(), {1, 1, 1, 1}, {4 * 1.5F + 1.5F});
}

TEST(RoiAlign, RefusesRegionsThatAreNone) {
  expect_error(aligned({0, 0, 1, 1}, 1), ErrorCode::invalid_argument);
  expect_error(aligned({0, 0, 1, 1}, -1), ErrorCode::invalid_argument);
  expect_error(aligned({0, 0, 1e9F, 1}), ErrorCode::invalid_argument);
  expect_error(aligned({0, std::nanf(""), 1, 1}), ErrorCode::invalid_argument);
  expect_error(aligned({0, 0, 1, 1}).attr("mode", std::string("median")), ErrorCode::unsupported);
  expect_error(aligned({0, 0, 1, 1}).attr("output_width", std::int64_t{0}), ErrorCode::malformed);
  expect_error(
      OneOp("RoiAlign", 16).input(counted({1, 1, 4, 4})).input(counted({1, 5})).input(int64s({0})),
      ErrorCode::shape_mismatch);
}

TEST(MaxRoiPool, LeavesBinsWithoutPixelsZeroAndRefusesOtherImages) {
  const auto pooled = [](const std::vector<float>& roi) {
    return OneOp("MaxRoiPool")
        .attr("pooled_shape", Ints{1, 1})
        .input(counted({1, 1, 2, 2}))
        .input(floats({1, 5}, roi));
  };
  expect_near(pooled({0, 0, 0, 1, 1}).result(), {1, 1, 1, 1}, {3});
  expect_near(pooled({0, 5, 5, 6, 6}).result(), {1, 1, 1, 1}, {0});
  expect_near(pooled({0, -1e30F, 0, 1e30F, 0}).result(), {1, 1, 1, 1}, {1});
  expect_error(pooled({1, 0, 0, 1, 1}), ErrorCode::invalid_argument);
  expect_error(pooled({-1, 0, 0, 1, 1}), ErrorCode::invalid_argument);
  expect_error(pooled({std::nanf(""), 0, 0, 1, 1}), ErrorCode::invalid_argument);
}

TEST(Col2Im, RefusesColumnsThatDoNotFit) {
  const auto image = [](const Shape& columns, const Ints& size, const Ints& block) {
    return OneOp("Col2Im", 18).input(counted(columns)).input(int64s(size)).input(int64s(block));
  };
  expect_near(image({1, 2, 2}, {3}, {2}).result(), {1, 1, 3}, {0, 1 + 2, 3});
  expect_error(image({1, 3, 2}, {3}, {2}), ErrorCode::shape_mismatch);
  expect_error(image({1, 2, 3}, {3}, {2}), ErrorCode::shape_mismatch);
  expect_error(image({1, 2, 2}, {3}, {0}), ErrorCode::shape_mismatch);
  expect_error(image({1, 0, 2}, {3}, {kMax / 4}), ErrorCode::shape_mismatch);
  expect_error(image({1, 2, 2}, {-3}, {2}), ErrorCode::invalid_argument);
  expect_error(image({1, 2, 2}, {kMax}, {2}), ErrorCode::invalid_argument);
}

TEST(AffineGrid, RefusesMapsThatDoNotFit) {
  const auto grid = [](const Shape& theta, const Ints& size) {
    return OneOp("AffineGrid", 20).input(counted(theta)).input(int64s(size));
  };
  EXPECT_EQ(grid({2, 2, 3}, {2, 5, 0, 4}).result().shape(), (Shape{2, 0, 4, 2}));
  expect_error(grid({1, 2, 3}, {2, 1, 3, 3}), ErrorCode::shape_mismatch);
  expect_error(grid({1, 2, 3}, {1, 1, 3, 3, 3}), ErrorCode::shape_mismatch);
  expect_error(grid({1, 2, 3}, {1}), ErrorCode::shape_mismatch);
  expect_error(grid({1, 2, 3}, {1, 1, kMax, kMax}), ErrorCode::invalid_argument);
}

constexpr std::int64_t kTaps = 4;  // of a kernel of 2 x 2

OneOp deformed(const Tensor& x, const Tensor& w, float down, float right) {
  // A stride of 1 and no padding: 3 x 3 positions of a 4 x 4 image.
  std::vector<float> offsets;
  for (std::int64_t i = 0; i < kTaps * 2 * 9; ++i) {
    offsets.push_back(i / 9 % 2 == 0 ? down : right);
  }
  return OneOp("DeformConv", 19).input(x).input(w).input(floats({1, 2 * kTaps, 3, 3}, offsets));
}

TEST(DeformConv, WithoutOffsetsIsConv) {
  const Tensor x = tensor_of({1, 4, 4, 4}, random_floats(64, 1));
  const Tensor w = tensor_of({6, 2, 2, 2}, random_floats(48, 2));
  const Tensor b = tensor_of({6}, random_floats(6, 3));
  const auto conv =
      OneOp("Conv").attr("group", std::int64_t{2}).input(x).constant(w).constant(b).result();
  const auto y = deformed(x, w, 0, 0).attr("group", std::int64_t{2}).input(b).result();
  expect_near(y, {1, 6, 3, 3}, values_of(conv));
}

TEST(DeformConv, MovesTapsAndTakesZerosOutside) {
  // Of the image 4 y + x, one tap of weight 1: moved by (0.5, -0.25) it adds 2 - 0.25.
  const Tensor x = counted({1, 1, 4, 4});
  const Tensor w = floats({1, 1, 2, 2}, {0, 0, 0, 1});
  std::vector<float> want;
  for (int i = 0; i < 9; ++i) want.push_back(4.0F * float(i / 3 + 1) + float(i % 3 + 1) + 1.75F);
  for (int i = 6; i < 9; ++i) {  // the row at 3.5 has half of its weight outside
    want[static_cast<std::size_t>(i)] = (12.0F + float(i - 6 + 1) - 0.25F) / 2;
  }
  expect_near(deformed(x, w, 0.5F, -0.25F).result(), {1, 1, 3, 3}, want);
  expect_near(deformed(x, w, 1e30F, 0).result(), {1, 1, 3, 3}, std::vector<float>(9, 0.0F));
  expect_near(deformed(x, w, std::nanf(""), 0).result(), {1, 1, 3, 3}, std::vector<float>(9, 0.0F));
}

TEST(DeformConv, MasksAndRefuses) {
  const Tensor x = counted({1, 1, 4, 4});
  const Tensor w = floats({1, 1, 2, 2}, {1, 0, 0, 0});
  const Tensor half = floats({1, kTaps, 3, 3}, std::vector<float>(kTaps * 9, 0.5F));
  expect_near(deformed(x, w, 0, 0).absent().input(half).result(), {1, 1, 3, 3},
              {0, 0.5F, 1, 2, 2.5F, 3, 4, 4.5F, 5});
  expect_error(deformed(x, w, 0, 0).attr("strides", Ints{2, 2}), ErrorCode::shape_mismatch);
  expect_error(deformed(x, w, 0, 0).attr("offset_group", std::int64_t{2}),
               ErrorCode::shape_mismatch);
  expect_error(deformed(x, w, 0, 0).attr("offset_group", kMax), ErrorCode::shape_mismatch);
  expect_error(deformed(x, w, 0, 0).attr("group", std::int64_t{0}), ErrorCode::malformed);
  expect_error(deformed(x, w, 0, 0).absent().input(x), ErrorCode::shape_mismatch);
}

}  // namespace
}  // namespace pbatch::testing
