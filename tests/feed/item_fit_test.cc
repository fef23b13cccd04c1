#include "feed/item_fit.h"

#include <gtest/gtest.h>

namespace pbatch {
namespace {

Result<ItemFit> fit(const Shape& item, const Shape& port) {
  return fit_items(item, {"x", DType::f32, port});
}

void expect_fit(const Shape& item, const Shape& port, const Shape& run_shape, std::int64_t batch) {
  const auto f = fit(item, port);
  ASSERT_TRUE(f) << f.status().to_line();
  EXPECT_EQ(f->input_shape(1), run_shape) << shape_to_string(port);
  EXPECT_EQ(f->batch, batch) << shape_to_string(port);
}

TEST(ItemFitTest, ReshapesImages) {
  expect_fit({28, 28}, {-1, 784}, {1, 784}, 0);
  expect_fit({28, 28}, {1, 784}, {1, 784}, 1);
  expect_fit({28, 28}, {-1, 1, 28, 28}, {1, 1, 28, 28}, 0);
  expect_fit({28, 28}, {1, 1, 28, 28}, {1, 1, 28, 28}, 1);
  expect_fit({28, 28}, {-1, 28, 28}, {1, 28, 28}, 0);
  expect_fit({784}, {-1, 1, 28, 28}, {1, 1, 28, 28}, 0);
  expect_fit({28, 28}, {-1, -1}, {1, 784}, 0);
  expect_fit({28, 28}, {-1, 1, -1, -1}, {1, 1, 28, 28}, 0);
  expect_fit({3, 32, 32}, {-1, 3, -1, -1}, {1, 3, 32, 32}, 0);
}

TEST(ItemFitTest, KnowsInputsWithoutBatch) {
  expect_fit({28, 28}, {784}, {784}, 1);
  expect_fit({28, 28}, {28, 28}, {28, 28}, 1);
}

TEST(ItemFitTest, RefusesOtherSizes) {
  EXPECT_FALSE(fit({28, 28}, {-1, 783}));
  EXPECT_FALSE(fit({28, 28}, {-1, 3, 28, 28}));
  EXPECT_FALSE(fit({5}, {-1, 0}));
  EXPECT_FALSE(fit({6}, {-1, -1, -1}));  // ambiguous
  const Status status = fit({28, 28}, {-1, 10}).status();
  EXPECT_NE(status.message().find("'x'"), std::string::npos);
  EXPECT_NE(status.message().find("[28, 28]"), std::string::npos);
}

TEST(ItemFitTest, FindsOrTakesTheBatchAxis) {
  const auto of = [](const Shape& item, const Shape& port, std::optional<std::size_t> axis) {
    return fit_items(item, {"x", DType::f32, port}, axis);
  };
  const auto told = of({5, 3}, {-1, -1, 3}, 1);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->input_shape(7), (Shape{5, 7, 3}));
  const auto fixed = of({5, 3}, {5, 2, 3}, 1);
  ASSERT_TRUE(fixed);
  EXPECT_EQ(fixed->batch, 2);
  // Steps are fixed, the batch is free: the only reading that keeps the items as they are.
  const auto found = of({5, 3}, {5, -1, 3}, {});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->axis, 1U);
  EXPECT_EQ(found->batch, 0);
  expect_fit({5, 3}, {-1, -1, 3}, {1, 5, 3}, 0);
  expect_fit({5, 3}, {1, -1, 3}, {1, 5, 3}, 1);
  EXPECT_FALSE(of({5, 3}, {-1, 5, 3}, 3));
}

TEST(ItemFitTest, ItemsLieAlongTheBatchAxis) {
  const float values[] = {1, 2, 3, 4, 5, 6, 7, 8};
  const auto data = Tensor::from_floats({2, 2, 2}, values);
  const auto f = fit_items({2, 2}, {"x", DType::f32, {-1, -1, 2}}, 1);
  ASSERT_TRUE(data && f);
  const auto taken = take_items(*data, 0, 2, 3, *f);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->shape(), (Shape{2, 3, 2}));
  const float expected[] = {1, 2, 5, 6, 5, 6, 3, 4, 7, 8, 7, 8};
  for (int i = 0; i < 12; ++i) EXPECT_EQ(taken->data<float>()[i], expected[i]) << i;
}

TEST(ItemFitTest, TakesAndPadsItems) {
  const float values[] = {1, 2, 3, 4, 5, 6};
  const auto data = Tensor::from_floats({3, 2}, values);
  ASSERT_TRUE(data);
  const auto f = fit({2}, {4, 2});
  ASSERT_TRUE(f);
  EXPECT_EQ(f->batch, 4);
  const auto taken = take_items(*data, 1, 2, 4, *f);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->shape(), (Shape{4, 2}));
  const float expected[] = {3, 4, 5, 6, 5, 6, 5, 6};
  for (int i = 0; i < 8; ++i) EXPECT_EQ(taken->data<float>()[i], expected[i]) << i;
}

}  // namespace
}  // namespace pbatch
