#include "feed/convert.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace pbatch {
namespace {

template <class T>
Tensor make(DType type, std::initializer_list<T> values) {
  Result<Tensor> t = Tensor::create(type, {static_cast<std::int64_t>(values.size())});
  EXPECT_TRUE(t);
  std::copy(values.begin(), values.end(), t->mutable_data<T>());
  return *t;
}

TEST(Convert, WidensAndNarrowsWhereNothingIsLost) {
  const auto f = convert_tensor(make<double>(DType::f64, {0.1, -3}), DType::f32);
  ASSERT_TRUE(f);
  EXPECT_EQ(f->data<float>()[0], 0.1F);
  const auto i = convert_tensor(make<std::uint8_t>(DType::u8, {0, 255}), DType::i64);
  ASSERT_TRUE(i);
  EXPECT_EQ(i->data<std::int64_t>()[1], 255);
  EXPECT_TRUE(convert_tensor(make<std::int64_t>(DType::i64, {-128, 127}), DType::i8));
  EXPECT_TRUE(convert_tensor(make<std::int32_t>(DType::i32, {16777216}), DType::f32));
}

TEST(Convert, RefusesLoss) {
  EXPECT_FALSE(convert_tensor(make<std::int64_t>(DType::i64, {128}), DType::i8));
  EXPECT_FALSE(convert_tensor(make<std::int64_t>(DType::i64, {-1}), DType::u64));
  EXPECT_FALSE(convert_tensor(make<std::int32_t>(DType::i32, {16777217}), DType::f32));
  EXPECT_FALSE(convert_tensor(make<double>(DType::f64, {1e300}), DType::f32));
  EXPECT_FALSE(convert_tensor(make<float>(DType::f32, {1}), DType::i64));
  EXPECT_FALSE(convert_tensor(make<std::int32_t>(DType::i32, {2}), DType::boolean));
  const Status status =
      convert_tensor(make<std::uint64_t>(DType::u64, {1, 1ULL << 63}), DType::i64).status();
  EXPECT_NE(status.message().find("element 1, 9223372036854775808"), std::string::npos);
}

TEST(Convert, KeepsNotFiniteFloats) {
  const auto f = convert_tensor(
      make<double>(DType::f64, {NAN, std::numeric_limits<double>::infinity()}), DType::f32);
  ASSERT_TRUE(f);
  EXPECT_TRUE(std::isnan(f->data<float>()[0]));
  EXPECT_TRUE(std::isinf(f->data<float>()[1]));
}

TEST(Convert, DecodesHalves) {
  // 1, -2, the smallest subnormal 2^-24, the largest 65504, infinity.
  const Tensor t = make<std::uint16_t>(DType::f16, {0x3c00, 0xc000, 0x0001, 0x7bff, 0x7c00});
  const auto f = convert_tensor(t, DType::f32);
  ASSERT_TRUE(f);
  EXPECT_EQ(f->data<float>()[0], 1.0F);
  EXPECT_EQ(f->data<float>()[1], -2.0F);
  EXPECT_EQ(f->data<float>()[2], std::ldexp(1.0F, -24));
  EXPECT_EQ(f->data<float>()[3], 65504.0F);
  EXPECT_TRUE(std::isinf(f->data<float>()[4]));
}

TEST(Convert, ScalesPixels) {
  const auto f = scaled_to_float(make<std::uint8_t>(DType::u8, {0, 51, 255}), 255.0F);
  ASSERT_TRUE(f);
  EXPECT_EQ(f->data<float>()[1], 0.2F);
  EXPECT_EQ(f->data<float>()[2], 1.0F);
}

}  // namespace
}  // namespace pbatch
