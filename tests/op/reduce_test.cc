// Reductions, ArgMax and TopK against numbers worked out by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/one_op.h"

namespace pbatch::testing {
namespace {

using ReducedInts = std::vector<std::int64_t>;

const Tensor kX = floats({2, 3, 2}, {1, 2, 3, 4, 5, 6, -1, -2, -3, -4, -5, -6});

Tensor reduce(const std::string& type, const Tensor& x, const ReducedInts& axes,
              std::int64_t keep = 0) {
  return OneOp(type, 11).attr("axes", axes).attr("keepdims", keep).input(x).result();
}

TEST(Reduce, SumsOverAnyAxes) {
  expect_near(reduce("ReduceSum", kX, {0}), {3, 2}, {0, 0, 0, 0, 0, 0});
  expect_near(reduce("ReduceSum", kX, {1}), {2, 2}, {9, 12, -9, -12});
  expect_near(reduce("ReduceSum", kX, {-1}), {2, 3}, {3, 7, 11, -3, -7, -11});
  expect_near(reduce("ReduceSum", kX, {1, 2}), {2}, {21, -21});
  expect_near(reduce("ReduceSum", kX, {2, 0}), {3}, {0, 0, 0});
  expect_near(reduce("ReduceSum", kX, {0, 1, 2}), {}, {0});
  expect_near(reduce("ReduceSum", kX, {0, 2}, 1), {1, 3, 1}, {0, 0, 0});
}

TEST(Reduce, ComputesEveryKind) {
  const Tensor x = floats({1, 3}, {3, -4, 2});
  expect_near(reduce("ReduceMean", x, {1}), {1}, {1.0F / 3});
  expect_near(reduce("ReduceMax", x, {1}), {1}, {3});
  expect_near(reduce("ReduceMin", x, {1}), {1}, {-4});
  expect_near(reduce("ReduceProd", x, {1}), {1}, {-24});
  expect_near(reduce("ReduceL1", x, {1}), {1}, {9});
  expect_near(reduce("ReduceL2", x, {1}), {1}, {std::sqrt(29.0F)});
  expect_near(reduce("ReduceSumSquare", x, {1}), {1}, {29});
  expect_near(reduce("ReduceLogSum", x, {1}), {1}, {0});
  const float log_sum = std::log(std::exp(3.0F) + std::exp(-4.0F) + std::exp(2.0F));
  expect_near(reduce("ReduceLogSumExp", x, {1}), {1}, {log_sum});
}

TEST(Reduce, TakesAxesAsInput) {
  expect_near(OneOp("ReduceSum", 13).input(kX).constant(int64s({1, 2})).result(), {2, 1, 1},
              {21, -21});
  expect_near(OneOp("ReduceMax", 18).input(kX).input(int64s({-2})).result(), {2, 1, 2},
              {5, 6, -1, -2});
}

TEST(Reduce, EmptyAxesMeanAllOrNone) {
  expect_near(OneOp("ReduceMax", 18).input(kX).result(), {1, 1, 1}, {6});
  expect_near(OneOp("ReduceSum", 13).input(kX).input(int64s({})).result(), {1, 1, 1}, {0});
  OneOp none("ReduceSum", 13);
  none.attr("noop_with_empty_axes", std::int64_t{1}).input(kX).input(int64s({}));
  expect_near(none.result(), kX.shape(), values_of(kX));
}

TEST(Reduce, WorksOnIntegers) {
  const std::int64_t big = std::int64_t{1} << 60;
  const Tensor x = make_tensor<std::int64_t>(DType::i64, {2, 2}, {big, 1, 2, 3});
  const auto one = [&](const char* type, const ReducedInts& axes) {
    const Tensor y = reduce(type, x, axes);
    EXPECT_EQ(y.dtype(), DType::i64);
    const auto span = y.span<std::int64_t>();
    return ReducedInts(span.begin(), span.end());
  };
  EXPECT_EQ(one("ReduceSum", {0}), (ReducedInts{big + 2, 4}));
  EXPECT_EQ(one("ReduceSum", {1}), (ReducedInts{big + 1, 5}));
  EXPECT_EQ(one("ReduceProd", {1}), (ReducedInts{big, 6}));
  EXPECT_EQ(one("ReduceMin", {0, 1}), ReducedInts{1});
  EXPECT_EQ(one("ReduceMax", {0, 1}), ReducedInts{big});
}

TEST(Reduce, OfNothingIsTheNeutralElement) {
  const Tensor x = floats({2, 0}, {});
  const float inf = std::numeric_limits<float>::infinity();
  expect_near(reduce("ReduceSum", x, {1}), {2}, {0, 0});
  expect_near(reduce("ReduceProd", x, {1}), {2}, {1, 1});
  EXPECT_EQ(values_of(reduce("ReduceMax", x, {1})), (std::vector<float>{-inf, -inf}));
  EXPECT_EQ(values_of(reduce("ReduceMin", x, {1})), (std::vector<float>{inf, inf}));
  expect_near(reduce("ReduceSum", x, {0}), {0}, {});
}

TEST(Reduce, LogSumExpStandsGreatNumbers) {
  const float inf = std::numeric_limits<float>::infinity();
  const auto one = [](const std::vector<float>& v) {
    return values_of(reduce("ReduceLogSumExp", floats({3}, v), {0}))[0];
  };
  EXPECT_NEAR(one({1000, 1000, -inf}), 1000 + std::log(2.0F), 1e-3F);
  EXPECT_EQ(one({-inf, -inf, -inf}), -inf);
  EXPECT_EQ(one({1, inf, inf}), inf);
  EXPECT_TRUE(std::isnan(one({1, NAN, 2})));
}

TEST(Reduce, PassesNaNOn) {
  for (const std::vector<float>& v : {std::vector<float>{NAN, 1}, {1, NAN}}) {
    EXPECT_TRUE(std::isnan(values_of(reduce("ReduceMax", floats({2}, v), {0}))[0]));
    EXPECT_TRUE(std::isnan(values_of(reduce("ReduceMin", floats({2}, v), {0}))[0]));
  }
}

TEST(Reduce, RefusesWhatDoesNotFit) {
  EXPECT_EQ(OneOp("ReduceSum", 11).attr("axes", ReducedInts{3}).input(kX).run().status().code(),
            ErrorCode::shape_mismatch);
  EXPECT_EQ(OneOp("ReduceSum", 11).attr("axes", ReducedInts{0, 0}).input(kX).run().status().code(),
            ErrorCode::malformed);
  EXPECT_EQ(OneOp("ReduceMean", 13).input(int64s({1})).run().status().code(),
            ErrorCode::unsupported);
}

ReducedInts arg(OneOp op) {
  const Tensor y = op.result();
  EXPECT_EQ(y.dtype(), DType::i64);
  const auto span = y.span<std::int64_t>();
  return {span.begin(), span.end()};
}

TEST(ArgMax, FindsTheFirstOrLast) {
  const Tensor x = floats({2, 3}, {1, 3, 3, 2, 0, 2});
  EXPECT_EQ(arg(OneOp("ArgMax").attr("axis", std::int64_t{1}).input(x)), (ReducedInts{1, 0}));
  EXPECT_EQ(arg(OneOp("ArgMax")
                    .attr("axis", std::int64_t{-1})
                    .attr("select_last_index", std::int64_t{1})
                    .input(x)),
            (ReducedInts{2, 2}));
  EXPECT_EQ(arg(OneOp("ArgMax").input(x)), (ReducedInts{1, 0, 0}));
  EXPECT_EQ(arg(OneOp("ArgMin").input(x)), (ReducedInts{0, 1, 1}));
  EXPECT_EQ(arg(OneOp("ArgMin").attr("axis", std::int64_t{1}).input(x)), (ReducedInts{0, 1}));
  EXPECT_EQ(OneOp("ArgMax").attr("keepdims", std::int64_t{0}).input(x).result().shape(), Shape{3});
  EXPECT_EQ(OneOp("ArgMax").input(x).result().shape(), (Shape{1, 3}));
  EXPECT_EQ(arg(OneOp("ArgMax").input(floats({3}, {1, NAN, 5}))), ReducedInts{1});
  EXPECT_EQ(
      OneOp("ArgMax").attr("axis", std::int64_t{1}).input(floats({2, 0}, {})).run().status().code(),
      ErrorCode::shape_mismatch);
}

TEST(TopK, SortsValuesAndIndices) {
  const Tensor x = floats({2, 4}, {1, 4, 3, 4, 7, 5, 6, 8});
  const auto top = [&](OneOp op, std::int64_t k, const std::vector<float>& values,
                       const ReducedInts& indices) {
    const auto y = op.input(x).constant(int64s({k})).run(2);
    ASSERT_TRUE(y) << y.status().to_line();
    EXPECT_EQ(values_of((*y)[0]), values);
    const auto span = (*y)[1].span<std::int64_t>();
    EXPECT_EQ(ReducedInts(span.begin(), span.end()), indices);
  };
  top(OneOp("TopK", 11), 2, {4, 4, 8, 7}, {1, 3, 3, 0});
  top(OneOp("TopK", 11).attr("largest", std::int64_t{0}), 2, {1, 3, 5, 6}, {0, 2, 1, 2});
  top(OneOp("TopK", 11).attr("axis", std::int64_t{0}), 1, {7, 5, 6, 8}, {1, 1, 1, 1});
  top(OneOp("TopK", 11), 0, {}, {});
  EXPECT_EQ(OneOp("TopK", 11).input(x).constant(int64s({5})).run(2).status().code(),
            ErrorCode::shape_mismatch);
  EXPECT_EQ(OneOp("TopK", 11).input(x).constant(int64s({-1})).run(2).status().code(),
            ErrorCode::shape_mismatch);
}

}  // namespace
}  // namespace pbatch::testing
