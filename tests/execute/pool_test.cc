// Pools against numbers worked out by hand.
#include <gtest/gtest.h>

#include "tests/execute/one_op.h"

namespace pbatch::testing {
namespace {

using Ints = std::vector<std::int64_t>;

const Tensor kRow = floats({1, 1, 6}, {1, 5, 2, 4, 3, 6});

OneOp pool(const std::string& type, const Ints& kernel, const Ints& strides) {
  OneOp op(type, 19);
  op.attr("kernel_shape", kernel).attr("strides", strides);
  return op;
}

TEST(MaxPool, TakesTheGreatest) {
  expect_near(pool("MaxPool", {2}, {2}).input(kRow).result(), {1, 1, 3}, {5, 4, 6});
  expect_near(pool("MaxPool", {2}, {1}).attr("dilations", Ints{2}).input(kRow).result(), {1, 1, 4},
              {2, 5, 3, 6});
  expect_near(pool("MaxPool", {3}, {2}).attr("pads", Ints{1, 0}).input(kRow).result(), {1, 1, 3},
              {5, 5, 6});
  // Padding is not 0: it takes no part.
  const Tensor negative = floats({1, 1, 2}, {-3, -1});
  expect_near(pool("MaxPool", {2}, {1}).attr("pads", Ints{1, 1}).input(negative).result(),
              {1, 1, 3}, {-3, -1, -1});
}

TEST(MaxPool, LetsTheLastWindowHangOver) {
  expect_near(pool("MaxPool", {3}, {2}).input(kRow).result(), {1, 1, 2}, {5, 4});
  expect_near(pool("MaxPool", {3}, {2}).attr("ceil_mode", std::int64_t{1}).input(kRow).result(),
              {1, 1, 3}, {5, 4, 6});
}

TEST(MaxPool, WorksInTwoDimensionsAndOnBytes) {
  const Tensor image = floats({1, 1, 2, 3}, {1, 2, 3, 6, 5, 4});
  expect_near(pool("MaxPool", {2, 2}, {1, 1}).input(image).result(), {1, 1, 1, 2}, {6, 5});
  const Tensor bytes = make_tensor<std::uint8_t>(DType::u8, {1, 1, 4}, {200, 1, 3, 255});
  const Tensor y = pool("MaxPool", {2}, {2}).input(bytes).result();
  ASSERT_EQ(y.dtype(), DType::u8);
  EXPECT_EQ(y.data<std::uint8_t>()[0], 200);
  EXPECT_EQ(y.data<std::uint8_t>()[1], 255);
}

TEST(MaxPool, RefusesWhatItCannotDo) {
  const auto line = [](Result<std::vector<Tensor>> r) { return r.status().to_line(); };
  EXPECT_NE(line(pool("MaxPool", {2}, {1}).input(kRow).run(2)).find("Indices"), std::string::npos);
  EXPECT_NE(line(OneOp("MaxPool").input(kRow).run()).find("kernel_shape"), std::string::npos);
  EXPECT_EQ(pool("MaxPool", {2}, {1}).attr("pads", Ints{2, 0}).input(kRow).run().status().code(),
            ErrorCode::unsupported);  // the first window sees only padding
  EXPECT_EQ(pool("MaxPool", {7}, {1}).input(kRow).run().status().code(), ErrorCode::shape_mismatch);
}

TEST(AveragePool, CountsPaddingOnlyWhenAsked) {
  const auto average = [](std::int64_t with_padding) {
    return pool("AveragePool", {3}, {3})
        .attr("pads", Ints{1, 0})
        .attr("count_include_pad", with_padding)
        .input(kRow)
        .result();
  };
  expect_near(average(0), {1, 1, 2}, {3, 3});
  expect_near(average(1), {1, 1, 2}, {2, 3});
}

TEST(AveragePool, LeavesOutWhatHangsOver) {
  const auto average = [](std::int64_t with_padding) {
    return pool("AveragePool", {4}, {4})
        .attr("pads", Ints{1, 0})
        .attr("ceil_mode", std::int64_t{1})
        .attr("count_include_pad", with_padding)
        .input(kRow)
        .result();
  };
  // Windows hold (pad, 1, 5, 2) and (4, 3, 6, nothing).
  expect_near(average(0), {1, 1, 2}, {8.0F / 3, 13.0F / 3});
  expect_near(average(1), {1, 1, 2}, {2, 13.0F / 3});
}

TEST(GlobalPool, CoversTheWholeImage) {
  const Tensor x = floats({1, 2, 2, 2}, {1, 2, 3, 6, -4, -3, -2, -1});
  expect_near(OneOp("GlobalAveragePool").input(x).result(), {1, 2, 1, 1}, {3, -2.5F});
  expect_near(OneOp("GlobalMaxPool").input(x).result(), {1, 2, 1, 1}, {6, -1});
  EXPECT_EQ(OneOp("GlobalMaxPool").input(floats({1, 2}, {1, 2})).run().status().code(),
            ErrorCode::shape_mismatch);
}

}  // namespace
}  // namespace pbatch::testing
