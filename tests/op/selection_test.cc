// Operators that choose elements by what the elements are: corner cases, and what they refuse.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/data_ops.h"

namespace pbatch::testing {
namespace {

Tensor bools(const std::vector<std::uint8_t>& values) {
  return make_tensor<std::uint8_t>(DType::boolean, {static_cast<std::int64_t>(values.size())},
                                   values);
}

TEST(Compress, TakesShortConditionsAndAnyTrueByte) {
  const Tensor x = counted({2, 3});
  expect_near(OneOp("Compress").input(x).input(bools({0, 7, 0, 1})).result(), {2}, {1, 3});
  expect_near(
      OneOp("Compress").attr("axis", std::int64_t{1}).input(x).input(bools({0, 1})).result(),
      {2, 1}, {1, 4});
  expect_near(OneOp("Compress").input(x).input(bools({})).result(), {0}, {});
  expect_near(OneOp("Compress")
                  .attr("axis", std::int64_t{0})
                  .input(counted({2, 0}))
                  .input(bools({1, 0}))
                  .result(),
              {1, 0}, {});
}

TEST(Compress, RefusesWhatIsNotThere) {
  const Tensor x = counted({2, 2});
  expect_error(OneOp("Compress").attr("axis", std::int64_t{0}).input(x).input(bools({0, 0, 1})),
               ErrorCode::invalid_argument);
  expect_error(OneOp("Compress").attr("axis", std::int64_t{2}).input(x).input(bools({1})),
               ErrorCode::shape_mismatch);
  expect_error(OneOp("Compress").input(x).input(x), ErrorCode::shape_mismatch);
  // What lies behind the end may be named as long as it is not wanted.
  expect_near(
      OneOp("Compress").attr("axis", std::int64_t{0}).input(x).input(bools({0, 1, 0})).result(),
      {1, 2}, {2, 3});
}

TEST(Unique, TakesScalarsEmptyTensorsAndBools) {
  expect_near(OneOp("Unique").input(floats({}, {3})).result(), {1}, {3});
  const auto none = OneOp("Unique").input(floats({0}, {})).run(4);
  ASSERT_TRUE(none) << none.status().to_line();
  for (const Tensor& t : *none) EXPECT_EQ(t.shape(), Shape{0});
  const auto flags = OneOp("Unique").input(bools({1, 0, 5, 0})).run(4);
  ASSERT_TRUE(flags) << flags.status().to_line();
  EXPECT_EQ((*flags)[0].shape(), Shape{2});
  EXPECT_EQ(ints_of((*flags)[1]), (Ints{1, 0}));
  EXPECT_EQ(ints_of((*flags)[2]), (Ints{1, 0, 1, 0}));
  EXPECT_EQ(ints_of((*flags)[3]), (Ints{2, 2}));
}

TEST(Unique, PutsEveryNanLast) {
  const float nan = std::nanf("");
  const auto made = OneOp("Unique").input(floats({4}, {nan, 2, nan, 1})).run(4);
  ASSERT_TRUE(made) << made.status().to_line();
  EXPECT_EQ(ints_of((*made)[1]), (Ints{3, 1, 0, 2}));
  EXPECT_EQ(ints_of((*made)[3]), (Ints{1, 1, 1, 1}));
}

TEST(Unique, TakesSlicesOfIntegersInOrderOfAppearance) {
  const Tensor x = make_tensor<std::int32_t>(DType::i32, {3, 2}, {5, 5, 1, 1, 5, 5});
  const auto made =
      OneOp("Unique").attr("axis", std::int64_t{0}).attr("sorted", std::int64_t{0}).input(x).run(4);
  ASSERT_TRUE(made) << made.status().to_line();
  EXPECT_EQ((*made)[0].shape(), (Shape{2, 2}));
  EXPECT_EQ((*made)[0].data<std::int32_t>()[0], 5);
  EXPECT_EQ((*made)[0].data<std::int32_t>()[2], 1);
  EXPECT_EQ(ints_of((*made)[2]), (Ints{0, 1, 0}));
}

TEST(ReverseSequence, RefusesWhatDoesNotFit) {
  const Tensor x = counted({2, 3});
  const auto reversed = [&x](const Ints& lengths) {
    return OneOp("ReverseSequence").input(x).input(int64s(lengths));
  };
  expect_near(reversed({0, 2, 1}).result(), {2, 3}, {0, 4, 2, 3, 1, 5});
  expect_error(reversed({0, 3, 1}), ErrorCode::invalid_argument);
  expect_error(reversed({0, -1, 1}), ErrorCode::invalid_argument);
  expect_error(reversed({0, 1}), ErrorCode::shape_mismatch);
  expect_error(reversed({1, 1, 1}).attr("time_axis", std::int64_t{1}), ErrorCode::malformed);
  EXPECT_EQ(OneOp("ReverseSequence").input(counted({0, 2})).input(int64s({0, 0})).result().shape(),
            (Shape{0, 2}));
}

TEST(MaxUnpool, PutsElementsBackIntoALargerImage) {
  const auto unpool = [](const Ints& places) {
    const Tensor at = make_tensor<std::int64_t>(DType::i64, {1, 1, 2}, places);
    return OneOp("MaxUnpool", 11)
        .attr("kernel_shape", Ints{2})
        .attr("strides", Ints{2})
        .input(floats({1, 1, 2}, {5, 6}))
        .input(at);
  };
  expect_near(unpool({1, 2}).result(), {1, 1, 4}, {0, 5, 6, 0});
  expect_near(unpool({1, 2}).input(int64s({1, 1, 5})).result(), {1, 1, 5}, {0, 5, 6, 0, 0});
  expect_error(unpool({1, 4}), ErrorCode::invalid_argument);
  expect_error(unpool({-1, 2}), ErrorCode::invalid_argument);
  expect_error(unpool({1, 2}).input(int64s({1, 1, 3})), ErrorCode::shape_mismatch);
  expect_error(unpool({1, 2}).input(int64s({1, 1, kMax})), ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace pbatch::testing
