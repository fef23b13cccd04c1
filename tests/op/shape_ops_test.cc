// Operators that move data or change shapes: corner cases, and what they must refuse. ONNX's own
// node tests cover the plain cases.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "tests/support/data_ops.h"

namespace pbatch::testing {
namespace {

OneOp reshape(const Tensor& x, const Ints& shape, std::int64_t allow_zero = 0) {
  return OneOp("Reshape", 14).attr("allowzero", allow_zero).input(x).input(int64s(shape));
}

TEST(Reshape, SharesStorage) {
  const Tensor x = counted({2, 3, 4});
  const Tensor y = reshape(x, {0, -1}).result();
  EXPECT_EQ(y.shape(), (Shape{2, 12}));
  EXPECT_EQ(y.raw(), x.raw());
}

TEST(Reshape, InfersBehindAnEmptyBatch) {
  EXPECT_EQ(reshape(counted({0, 4, 5}), {0, -1}).result().shape(), (Shape{0, 20}));
  EXPECT_EQ(reshape(counted({0, 4}), {-1, 2}).result().shape(), (Shape{0, 2}));
  EXPECT_EQ(reshape(counted({0, 4}), {3, 0}, 1).result().shape(), (Shape{3, 0}));
}

TEST(Reshape, RefusesWhatDoesNotFit) {
  const Tensor x = counted({2, 3});
  for (const Ints& shape : {Ints{7}, Ints{-1, -1}, Ints{-2, 3}, Ints{4, -1}, Ints{2, 3, 0}}) {
    expect_error(reshape(x, shape), ErrorCode::shape_mismatch);
  }
  expect_error(reshape(x, {0, -1}, 1), ErrorCode::shape_mismatch);
  expect_error(reshape(x, {kMax, kMax}), ErrorCode::invalid_argument);
  expect_error(reshape(x, {kMax, -1, kMax}), ErrorCode::invalid_argument);
  expect_error(OneOp("Reshape", 13).input(x).input(x), ErrorCode::shape_mismatch);
  expect_error(OneOp("Reshape", 13).input(x).input(counted({2})), ErrorCode::unsupported);
  expect_error(OneOp("Reshape", 13).input(x), ErrorCode::malformed);
}

TEST(Flatten, TakesEveryAxisOfAScalarAndBeyond) {
  EXPECT_EQ(OneOp("Flatten").attr("axis", std::int64_t{0}).input(counted({})).result().shape(),
            (Shape{1, 1}));
  EXPECT_EQ(OneOp("Flatten").input(counted({3})).result().shape(), (Shape{3, 1}));
  expect_error(OneOp("Flatten").attr("axis", std::int64_t{3}).input(counted({2, 2})),
               ErrorCode::shape_mismatch);
  expect_error(OneOp("Flatten").attr("axis", kMin).input(counted({2, 2})),
               ErrorCode::shape_mismatch);
}

// Every element of y is the one of x that the definition names.
template <class T>
void expect_transposed(const Tensor& x, const Tensor& y, const Ints& perm) {
  ASSERT_EQ(x.rank(), y.rank());
  for (std::int64_t i = 0; i < y.size(); ++i) {
    Shape at(x.rank());
    std::int64_t rest = i;
    for (std::size_t d = y.rank(); d-- > 0; rest /= y.dim(d)) {
      at[static_cast<std::size_t>(perm[d])] = rest % y.dim(d);
    }
    std::int64_t from = 0;
    for (std::size_t d = 0; d < x.rank(); ++d) from = from * x.dim(d) + at[d];
    ASSERT_EQ(y.data<T>()[i], x.data<T>()[from]) << "element " << i;
  }
}

template <class T>
void transpose_all(DType type, const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t d : shape) count *= d;
  std::vector<T> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(i * 7 + i / 256);
  const Tensor x = make_tensor<T>(type, shape, values);
  Ints perm(shape.size());
  std::iota(perm.begin(), perm.end(), 0);
  do {
    const Tensor y = OneOp("Transpose").attr("perm", perm).threads(2).input(x).result();
    ASSERT_NO_FATAL_FAILURE(expect_transposed<T>(x, y, perm)) << shape_to_string(perm);
  } while (std::next_permutation(perm.begin(), perm.end()));
}

TEST(Transpose, PermutesEveryElementSize) {
  transpose_all<std::uint8_t>(DType::u8, {3, 1, 37, 5});
  transpose_all<std::uint16_t>(DType::f16, {2, 40, 33});
  transpose_all<std::uint32_t>(DType::u32, {300, 3, 301});
  transpose_all<std::int64_t>(DType::i64, {2, 3, 4, 5});
}

TEST(Transpose, MovesNothingWhenOnlyOnesMove) {
  const Tensor x = counted({1, 3, 1, 2});
  const Tensor y = OneOp("Transpose").attr("perm", Ints{1, 0, 3, 2}).input(x).result();
  EXPECT_EQ(y.shape(), (Shape{3, 1, 2, 1}));
  EXPECT_EQ(y.raw(), x.raw());
  EXPECT_EQ(OneOp("Transpose").input(counted({0, 3})).result().shape(), (Shape{3, 0}));
}

TEST(Transpose, RefusesWhatIsNoPermutation) {
  expect_error(OneOp("Transpose").attr("perm", Ints{0, 0}).input(counted({2, 2})),
               ErrorCode::malformed);
  expect_error(OneOp("Transpose").attr("perm", Ints{0, 2}).input(counted({2, 2})),
               ErrorCode::shape_mismatch);
  expect_error(OneOp("Transpose").attr("perm", Ints{0, 1, 2}).input(counted({2, 2})),
               ErrorCode::shape_mismatch);
}

TEST(Concat, RefusesOtherShapesAndTypes) {
  const auto concat = [](const Tensor& a, const Tensor& b, std::int64_t axis) {
    return OneOp("Concat").attr("axis", axis).input(a).input(b);
  };
  expect_near(concat(counted({2, 1}), counted({2, 2}), -1).result(), {2, 3}, {0, 0, 1, 1, 2, 3});
  expect_near(concat(counted({0, 2}), counted({1, 2}), 0).result(), {1, 2}, {0, 1});
  expect_error(concat(counted({2, 1}), counted({3, 2}), 1), ErrorCode::shape_mismatch);
  expect_error(concat(counted({2}), counted({2, 2}), 0), ErrorCode::shape_mismatch);
  expect_error(concat(counted({2}), int64s({1}), 0), ErrorCode::shape_mismatch);
  expect_error(concat(counted({2}), counted({2}), 1), ErrorCode::shape_mismatch);
  expect_error(concat(counted({}), counted({}), 0), ErrorCode::shape_mismatch);
  expect_error(OneOp("Concat").input(counted({2})), ErrorCode::malformed);
  expect_error(OneOp("Concat").attr("axis", std::int64_t{0}), ErrorCode::malformed);
}

TEST(Split, ReadsSizesFromAttributeOrInput) {
  auto old = OneOp("Split", 11).attr("split", Ints{1, 3}).attr("axis", std::int64_t{1});
  auto made = old.input(counted({2, 4})).run(2);
  ASSERT_TRUE(made) << made.status().to_line();
  expect_near((*made)[0], {2, 1}, {0, 4});
  expect_near((*made)[1], {2, 3}, {1, 2, 3, 5, 6, 7});

  OneOp uneven("Split", 18);  // the last part may be smaller
  made = uneven.attr("num_outputs", std::int64_t{3}).input(counted({7})).run(3);
  ASSERT_TRUE(made) << made.status().to_line();
  expect_near((*made)[1], {3}, {3, 4, 5});
  expect_near((*made)[2], {1}, {6});
}

TEST(Split, RefusesSizesThatDoNotAddUp) {
  const auto split = [](const Ints& sizes) {
    return OneOp("Split", 13).input(counted({4})).input(int64s(sizes));
  };
  for (const Ints& sizes : {Ints{1, 2}, Ints{-1, 5}, Ints{kMax, kMax}, Ints{4, kMin}}) {
    expect_error(split(sizes), ErrorCode::shape_mismatch, 2);
  }
  expect_error(split({4}), ErrorCode::malformed, 2);
  expect_error(OneOp("Split", 13).input(counted({5})), ErrorCode::shape_mismatch, 2);
  expect_error(OneOp("Split", 18).attr("num_outputs", std::int64_t{3}).input(counted({6})),
               ErrorCode::malformed, 2);
}

OneOp slice(const Tensor& x, Ints starts, Ints ends, Ints axes, Ints steps) {
  OneOp op("Slice", 13);
  op.input(x).input(int64s(starts)).input(int64s(ends)).input(int64s(axes)).input(int64s(steps));
  return op;
}

TEST(Slice, ClampsAnyStartEndAndStep) {
  const Tensor x = counted({5});
  expect_near(slice(x, {kMin}, {kMax}, {0}, {2}).result(), {3}, {0, 2, 4});
  expect_near(slice(x, {kMax}, {kMin}, {0}, {-2}).result(), {3}, {4, 2, 0});
  expect_near(slice(x, {1}, {kMax}, {0}, {kMax}).result(), {1}, {1});
  expect_near(slice(x, {3}, {kMin}, {0}, {kMin}).result(), {1}, {3});
  expect_near(slice(x, {3}, {1}, {0}, {1}).result(), {0}, {});
  expect_near(slice(counted({0}), {-1}, {kMin}, {0}, {-1}).result(), {0}, {});
  expect_near(slice(counted({2, 3}), {-1, -1}, {-4, 0}, {0, 1}, {-1, -1}).result(), {2, 2},
              {5, 4, 2, 1});
}

TEST(Slice, ReadsAttributesBeforeOpset10) {
  OneOp op("Slice", 9);
  op.attr("starts", Ints{1}).attr("ends", Ints{-1}).attr("axes", Ints{1}).input(counted({2, 4}));
  expect_near(op.result(), {2, 2}, {1, 2, 5, 6});
}

TEST(Slice, RefusesBadLists) {
  const Tensor x = counted({5});
  expect_error(slice(x, {0}, {1}, {0}, {0}), ErrorCode::malformed);
  expect_error(slice(x, {0, 0}, {1}, {0}, {1}), ErrorCode::malformed);
  expect_error(slice(x, {0, 0}, {1, 1}, {0, -1}, {1, 1}), ErrorCode::malformed);
  expect_error(slice(x, {0}, {1}, {1}, {1}), ErrorCode::shape_mismatch);
}

TEST(Squeeze, ReadsAxesFromAttributeOrInput) {
  const Tensor x = counted({1, 2, 1});
  EXPECT_EQ(OneOp("Squeeze", 11).attr("axes", Ints{0}).input(x).result().shape(), (Shape{2, 1}));
  EXPECT_EQ(OneOp("Squeeze", 13).input(x).input(int64s({-1})).result().shape(), (Shape{1, 2}));
  EXPECT_EQ(OneOp("Squeeze", 13).input(x).result().shape(), (Shape{2}));
  EXPECT_EQ(OneOp("Squeeze", 13).input(x).input(int64s({})).result().shape(), x.shape());
  expect_error(OneOp("Squeeze", 13).input(x).input(int64s({1})), ErrorCode::shape_mismatch);
  expect_error(OneOp("Squeeze", 13).input(x).input(int64s({3})), ErrorCode::shape_mismatch);
  expect_error(OneOp("Squeeze", 13).input(x).input(int64s({0, -3})), ErrorCode::malformed);
}

TEST(Unsqueeze, ReadsAxesFromAttributeOrInput) {
  const Tensor x = counted({2});
  EXPECT_EQ(OneOp("Unsqueeze", 11).attr("axes", Ints{0, 2}).input(x).result().shape(),
            (Shape{1, 2, 1}));
  EXPECT_EQ(OneOp("Unsqueeze", 13).input(x).input(int64s({-1})).result().shape(), (Shape{2, 1}));
  expect_error(OneOp("Unsqueeze", 13).input(x).input(int64s({2})), ErrorCode::shape_mismatch);
  expect_error(OneOp("Unsqueeze", 13).input(x).input(int64s({0, 0})), ErrorCode::malformed);
  expect_error(OneOp("Unsqueeze", 13).input(x), ErrorCode::malformed);
}

TEST(Gather, ReadsNarrowAndNegativeIndices) {
  const Tensor narrow = make_tensor<std::int32_t>(DType::i32, {2, 1}, {-1, 0});
  expect_near(OneOp("Gather").input(counted({3, 2})).input(narrow).result(), {2, 1, 2},
              {4, 5, 0, 1});
  expect_near(OneOp("Gather").input(counted({3})).input(int64_scalar(1)).result(), {}, {1});
}

TEST(Gather, NeverReadsOutside) {
  for (const std::int64_t index : {std::int64_t{3}, std::int64_t{-4}, kMax, kMin}) {
    expect_error(OneOp("Gather").input(counted({3, 2})).input(int64s({0, index})),
                 ErrorCode::invalid_argument);
    OneOp elements("GatherElements");
    elements.input(counted({3})).input(int64s({0, index}));
    expect_error(elements, ErrorCode::invalid_argument);
    OneOp nd("GatherND");
    nd.input(counted({3, 2})).input(make_tensor<std::int64_t>(DType::i64, {1, 2}, {0, index}));
    expect_error(nd, ErrorCode::invalid_argument);
  }
  expect_error(OneOp("Gather").input(counted({0, 2})).input(int64s({0})),
               ErrorCode::invalid_argument);
  expect_error(OneOp("Gather").input(counted({})).input(int64s({0})), ErrorCode::shape_mismatch);
  expect_error(OneOp("Gather").input(counted({3})).input(counted({1})), ErrorCode::unsupported);
}

TEST(GatherElements, RefusesWiderIndices) {
  const Tensor indices = make_tensor<std::int64_t>(DType::i64, {3, 1}, {0, 0, 0});
  expect_error(
      OneOp("GatherElements").attr("axis", std::int64_t{1}).input(counted({2, 2})).input(indices),
      ErrorCode::shape_mismatch);
  expect_near(OneOp("GatherElements").input(counted({2, 2})).input(indices).result(), {3, 1},
              {0, 0, 0});
}

TEST(GatherND, RefusesTuplesThatAreTooLong) {
  const Tensor tuples = make_tensor<std::int64_t>(DType::i64, {1, 3}, {0, 0, 0});
  expect_error(OneOp("GatherND").input(counted({2, 2})).input(tuples), ErrorCode::shape_mismatch);
  expect_error(OneOp("GatherND").input(counted({2, 2})).input(int64_scalar(0)),
               ErrorCode::shape_mismatch);
  expect_error(OneOp("GatherND")
                   .attr("batch_dims", std::int64_t{-1})
                   .input(counted({2, 2}))
                   .input(int64s({0})),
               ErrorCode::malformed);
}

TEST(Expand, BroadcastsBothWays) {
  expect_near(OneOp("Expand").input(counted({2, 1})).input(int64s({3, 1, 2})).result(), {3, 2, 2},
              {0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1});
  expect_near(OneOp("Expand").input(counted({2, 2})).input(int64s({1})).result(), {2, 2},
              {0, 1, 2, 3});
  EXPECT_EQ(OneOp("Expand").input(counted({1})).input(int64s({0})).result().shape(), (Shape{0}));
  expect_error(OneOp("Expand").input(counted({2})).input(int64s({3})), ErrorCode::shape_mismatch);
  expect_error(OneOp("Expand").input(counted({1})).input(int64s({-1})), ErrorCode::shape_mismatch);
  expect_error(OneOp("Expand").input(counted({1})).input(int64s({kMax, kMax})),
               ErrorCode::invalid_argument);
}

TEST(Tile, RefusesHostileRepeats) {
  expect_near(OneOp("Tile").input(counted({2, 2})).input(int64s({2, 2})).result(), {4, 4},
              {0, 1, 0, 1, 2, 3, 2, 3, 0, 1, 0, 1, 2, 3, 2, 3});
  EXPECT_EQ(OneOp("Tile").input(counted({2})).input(int64s({0})).result().shape(), (Shape{0}));
  expect_error(OneOp("Tile").input(counted({2})).input(int64s({-1})), ErrorCode::invalid_argument);
  expect_error(OneOp("Tile").input(counted({2})).input(int64s({kMax})),
               ErrorCode::invalid_argument);
  expect_error(OneOp("Tile").input(counted({2})).input(int64s({1, 1})), ErrorCode::shape_mismatch);
}

}  // namespace
}  // namespace pbatch::testing
