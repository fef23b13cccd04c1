// Operators that make up elements (Pad, Range, CumSum, ...): corner cases, and what they must
// refuse. ONNX's own node tests cover the plain cases.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "tests/support/data_ops.h"

namespace pbatch::testing {
namespace {

OneOp pad(const Tensor& x, const std::string& mode, const Ints& pads) {
  return OneOp("Pad", 13).attr("mode", mode).input(x).input(int64s(pads));
}

TEST(Pad, KnowsEveryMode) {
  const Tensor x = floats({3}, {1, 2, 3});
  expect_near(pad(x, "constant", {1, 2}).result(), {6}, {0, 1, 2, 3, 0, 0});
  expect_near(pad(x, "edge", {1, 2}).result(), {6}, {1, 1, 2, 3, 3, 3});
  expect_near(pad(x, "reflect", {2, 2}).result(), {7}, {3, 2, 1, 2, 3, 2, 1});
  expect_near(pad(x, "wrap", {2, 4}).result(), {9}, {2, 3, 1, 2, 3, 1, 2, 3, 1});
  expect_error(pad(x, "mirror", {0, 0}), ErrorCode::unsupported);
}

TEST(Pad, CutsWhereNegative) {
  const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  expect_near(pad(x, "constant", {1, -1, 0, 1}).result(), {3, 3}, {0, 0, 0, 2, 3, 0, 5, 6, 0});
  expect_near(pad(x, "constant", {-2, 0, 1, 0}).result(), {1, 3}, {0, 0, 0});
  expect_near(pad(x, "constant", {0, -4, 0, 2}).result(), {2, 1}, {0, 0});
  expect_near(pad(x, "edge", {0, 2, -1, -4}).result(), {1, 1}, {1});
  expect_near(pad(x, "edge", {-1, 0, 1, 0}).result(), {2, 3}, {4, 5, 6, 4, 5, 6});
  expect_error(pad(x, "constant", {0, -4, 0, 0}), ErrorCode::invalid_argument);
}

TEST(Pad, CopiesInnerAxesWhole) {
  const Tensor x = floats({2, 2}, {1, 2, 3, 4});
  expect_near(pad(x, "reflect", {1, 0, 1, 0}).result(), {4, 2}, {3, 4, 1, 2, 3, 4, 1, 2});
  expect_near(pad(x, "constant", {0, 0, 0, 0}).result(), {2, 2}, {1, 2, 3, 4});
  expect_near(pad(floats({}, {7}), "constant", {}).result(), {}, {7});
}

TEST(Pad, ReadsAttributesValueAndAxes) {
  const Tensor x = floats({1, 2}, {1, 2});
  OneOp old("Pad", 10);
  expect_near(old.attr("pads", Ints{0, 1, 0, 0}).attr("value", 9.0F).input(x).result(), {1, 3},
              {9, 1, 2});
  OneOp axes("Pad", 18);
  axes.input(x).input(int64s({1, 1})).input(floats({}, {5})).input(int64s({-2}));
  expect_near(axes.result(), {3, 2}, {5, 5, 1, 2, 5, 5});
  OneOp bytes("Pad", 13);
  bytes.input(make_tensor<std::uint8_t>(DType::u8, {1}, {1})).input(int64s({1, 0}));
  const Tensor y = bytes.input(make_tensor<std::uint8_t>(DType::u8, {}, {8})).result();
  EXPECT_EQ(y.data<std::uint8_t>()[0], 8);
}

TEST(Pad, RefusesHostilePads) {
  const Tensor x = floats({2}, {1, 2});
  expect_error(pad(x, "constant", {kMax, kMax}), ErrorCode::invalid_argument);
  expect_error(pad(x, "constant", {kMin, kMax}), ErrorCode::invalid_argument);
  expect_error(pad(x, "edge", {1}), ErrorCode::shape_mismatch);
  expect_error(pad(counted({0}), "edge", {1, 0}), ErrorCode::shape_mismatch);
  expect_error(pad(x, "constant", {1, 0}).input(int64s({1})), ErrorCode::shape_mismatch);
}

TEST(Shape, ClampsStartAndEnd) {
  const Tensor x = counted({2, 3, 4});
  const auto shape = [&](std::int64_t start, std::int64_t end) {
    return ints_of(OneOp("Shape", 15).attr("start", start).attr("end", end).input(x).result());
  };
  EXPECT_EQ(shape(kMin, kMax), (Ints{2, 3, 4}));
  EXPECT_EQ(shape(-2, -1), (Ints{3}));
  EXPECT_EQ(shape(2, 1), Ints{});
  EXPECT_EQ(ints_of(OneOp("Size").input(x).result()), Ints{24});
}

TEST(ConstantOfShape, RefusesShapesThatNoMemoryHolds) {
  EXPECT_EQ(values_of(OneOp("ConstantOfShape").input(int64s({2})).result()),
            (std::vector<float>{0, 0}));
  EXPECT_EQ(OneOp("ConstantOfShape").input(int64s({})).result().shape(), Shape{});
  expect_error(OneOp("ConstantOfShape").input(int64s({-1})), ErrorCode::invalid_argument);
  expect_error(OneOp("ConstantOfShape").input(int64s({kMax, 4})), ErrorCode::invalid_argument);
  expect_error(OneOp("ConstantOfShape").input(int64s({kMax / 16})), ErrorCode::out_of_memory);
  expect_error(OneOp("ConstantOfShape").attr("value", counted({2})).input(int64s({1})),
               ErrorCode::malformed);
}

TEST(Constant, GivesItsValue) {
  EXPECT_EQ(ints_of(OneOp("Constant").attr("value_ints", Ints{3, 4}).result()), (Ints{3, 4}));
  expect_error(OneOp("Constant").attr("value_string", std::string("a")), ErrorCode::unsupported);
  expect_error(OneOp("Constant"), ErrorCode::malformed);
}

TEST(Dropout, IsIdentityAtInference) {
  const Tensor x = counted({2});
  OneOp op("Dropout", 12);
  const auto made = op.input(x).run(2);
  ASSERT_TRUE(made) << made.status().to_line();
  EXPECT_EQ(std::memcmp((*made)[0].raw(), x.raw(), x.bytes()), 0);
  ASSERT_EQ((*made)[1].dtype(), DType::boolean);
  EXPECT_EQ((*made)[1].shape(), x.shape());
  EXPECT_EQ((*made)[1].data<std::uint8_t>()[1], 1);
}

TEST(Dropout, RefusesTraining) {
  const Tensor yes = make_tensor<std::uint8_t>(DType::boolean, {}, {1});
  OneOp constant("Dropout", 12);
  EXPECT_EQ(constant.input(counted({2})).absent().constant(yes).build().status().code(),
            ErrorCode::unsupported);
  expect_error(OneOp("Dropout", 12).input(counted({2})).absent().input(yes),
               ErrorCode::unsupported);
}

template <class T>
OneOp range(DType type, T start, T limit, T delta) {
  OneOp op("Range");
  for (const T v : {start, limit, delta}) op.input(make_tensor<T>(type, {}, {v}));
  return op;
}

TEST(Range, CountsUpAndDown) {
  EXPECT_EQ(ints_of(range<std::int64_t>(DType::i64, 5, 0, -2).result()), (Ints{5, 3, 1}));
  EXPECT_EQ(ints_of(range<std::int64_t>(DType::i64, 0, 5, -1).result()), Ints{});
  EXPECT_EQ(ints_of(range<std::int64_t>(DType::i64, kMin, kMax, kMax).result()),
            (Ints{kMin, -1, kMax - 1}));
  EXPECT_EQ(values_of(range<float>(DType::f32, 0, 1, 0.25F).result()),
            (std::vector<float>{0, 0.25F, 0.5F, 0.75F}));
}

TEST(Range, RefusesEndlessOnes) {
  const float inf = std::numeric_limits<float>::infinity();
  expect_error(range<std::int64_t>(DType::i64, 0, 1, 0), ErrorCode::invalid_argument);
  expect_error(range<std::int64_t>(DType::i64, kMin, kMax, 1), ErrorCode::invalid_argument);
  expect_error(range<float>(DType::f32, 0, inf, 1), ErrorCode::invalid_argument);
  expect_error(range<float>(DType::f32, 0, 1, 1e-30F), ErrorCode::invalid_argument);
  expect_error(range<float>(DType::f32, std::nanf(""), 1, 1), ErrorCode::invalid_argument);
}

TEST(CumSum, SumsAlongInnerAndOuterAxes) {
  const Tensor x = floats({2, 2}, {1, 2, 3, 4});
  const auto sum = [&](std::int64_t axis, std::int64_t exclusive, std::int64_t reverse) {
    OneOp op("CumSum");
    op.attr("exclusive", exclusive).attr("reverse", reverse).input(x).input(int64_scalar(axis));
    return values_of(op.result());
  };
  EXPECT_EQ(sum(0, 0, 0), (std::vector<float>{1, 2, 4, 6}));
  EXPECT_EQ(sum(-1, 0, 1), (std::vector<float>{3, 2, 7, 4}));
  EXPECT_EQ(sum(0, 1, 1), (std::vector<float>{3, 4, 0, 0}));
  expect_error(OneOp("CumSum").input(x).input(int64_scalar(2)), ErrorCode::shape_mismatch);
}

TEST(Trilu, ClampsTheDiagonal) {
  const Tensor x = floats({2, 2}, {1, 2, 3, 4});
  const auto trilu = [&](std::int64_t upper, std::int64_t k) {
    OneOp op("Trilu", 14);
    return values_of(op.attr("upper", upper).input(x).input(int64_scalar(k)).result());
  };
  EXPECT_EQ(trilu(1, 1), (std::vector<float>{0, 2, 0, 0}));
  EXPECT_EQ(trilu(0, -1), (std::vector<float>{0, 0, 3, 0}));
  EXPECT_EQ(trilu(1, kMax), (std::vector<float>{0, 0, 0, 0}));
  EXPECT_EQ(trilu(1, kMin), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(trilu(0, kMin), (std::vector<float>{0, 0, 0, 0}));
  expect_error(OneOp("Trilu", 14).input(counted({2})), ErrorCode::shape_mismatch);
}

TEST(OneHot, LeavesIndicesOutsideOff) {
  const auto one_hot = [](const Ints& indices, std::int64_t depth) {
    OneOp op("OneHot");
    return op.input(int64s(indices)).input(int64_scalar(depth)).input(floats({2}, {0, 1}));
  };
  expect_near(one_hot({1, -1, 7, kMin}, 2).result(), {4, 2}, {0, 1, 0, 1, 0, 0, 0, 0});
  expect_error(one_hot({0}, -1), ErrorCode::invalid_argument);
  expect_error(one_hot({0, 1}, kMax), ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace pbatch::testing
