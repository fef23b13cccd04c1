#include "pbatch/tensor.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace pbatch {
namespace {

TEST(Tensor, OwnsAlignedStorage) {
  Result<Tensor> t = Tensor::create(DType::i64, {3, 5});
  ASSERT_TRUE(t);
  EXPECT_EQ(t->size(), 15);
  EXPECT_EQ(t->bytes(), 120u);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(t->raw()) % 64, 0u);
}

TEST(Tensor, ScalarHasOneElementAndEmptyHasNone) {
  EXPECT_EQ(Tensor::create(DType::f32, {})->size(), 1);
  EXPECT_EQ(Tensor::create(DType::f32, {4, 0, 7})->size(), 0);
}

TEST(Tensor, RefusesShapesThatCannotBe) {
  EXPECT_EQ(Tensor::create(DType::f32, {-1}).status().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(
      Tensor::create(DType::f32, {std::int64_t{1} << 40, std::int64_t{1} << 40}).status().code(),
      ErrorCode::invalid_argument);
  // A zero must not hide an overflow from a reader that multiplies in another order.
  EXPECT_FALSE(Tensor::create(DType::f64, {0, INT64_MAX, INT64_MAX}));
}

TEST(Tensor, RefusesMoreThanTheMachineHas) {
  EXPECT_EQ(Tensor::create(DType::u8, {std::int64_t{1} << 50}).status().code(),
            ErrorCode::out_of_memory);
}

TEST(Tensor, FromFloatsChecksTheCount) {
  const float values[] = {1, 2, 3};
  EXPECT_FALSE(Tensor::from_floats({2, 2}, values));
  const Result<Tensor> t = Tensor::from_floats({3, 1}, values);
  ASSERT_TRUE(t);
  EXPECT_EQ(t->data<float>()[2], 3.0f);
}

TEST(Tensor, ViewKeepsItsOwnerAlive) {
  auto owner = std::make_shared<int>(7);
  const std::weak_ptr<int> watch = owner;
  {
    const Tensor t = Tensor::view(DType::i32, {1}, owner.get(), owner);
    owner.reset();
    EXPECT_FALSE(watch.expired());
    EXPECT_EQ(t.data<int>()[0], 7);
  }
  EXPECT_TRUE(watch.expired());
}

}  // namespace
}  // namespace pbatch
