#include "report/item_fit.h"

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
