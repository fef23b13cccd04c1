// Against ONNX's page of the float formats of 8 bits and the OCP formats of the Microscaling
// specification.
#include "graph/narrow_types.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace pbatch {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr int kE4m3 = 17, kE4m3Fnuz = 18, kE5m2 = 19, kE5m2Fnuz = 20, kE2m1 = 23, kE8m0 = 24;
constexpr int kUint4 = 21, kInt4 = 22, kUint2 = 25, kInt2 = 26;

bool same(float a, float b) {
  return std::isnan(a) ? std::isnan(b) : a == b && std::signbit(a) == std::signbit(b);
}

std::vector<float> floats(int type, const std::vector<std::uint8_t>& bytes, std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  decode_narrow(*narrow_type(type), bytes.data(), count, values.data());
  return values;
}

float value(int type, int code) { return floats(type, {static_cast<std::uint8_t>(code)}, 1)[0]; }

TEST(NarrowTypes, CodesHaveTheValuesOfTheirFormats) {
  const struct {
    int type, code;
    float value;
  } known[] = {
      {kE4m3, 0x7e, 448},      {kE4m3, 0x08, 0x1p-6F},      {kE4m3, 0x07, 0x1.Cp-7F},
      {kE4m3, 0x01, 0x1p-9F},  {kE4m3, 0x80, -0.0F},        {kE4m3, 0x7f, kNaN},
      {kE4m3, 0xff, kNaN},     {kE4m3, 0xb9, -1.125F},      {kE4m3Fnuz, 0x7f, 240},
      {kE4m3Fnuz, 0xff, -240}, {kE4m3Fnuz, 0x01, 0x1p-10F}, {kE4m3Fnuz, 0x80, kNaN},
      {kE4m3Fnuz, 0x40, 1},    {kE5m2, 0x7b, 57344},        {kE5m2, 0x01, 0x1p-16F},
      {kE5m2, 0x7c, kInf},     {kE5m2, 0xfc, -kInf},        {kE5m2, 0x7d, kNaN},
      {kE5m2, 0x3d, 1.25F},    {kE5m2Fnuz, 0x7f, 57344},    {kE5m2Fnuz, 0x01, 0x1p-17F},
      {kE5m2Fnuz, 0x80, kNaN}, {kE8m0, 0, 0x1p-127F},       {kE8m0, 127, 1},
      {kE8m0, 254, 0x1p127F},  {kE8m0, 255, kNaN},
  };
  for (const auto& k : known) {
    EXPECT_TRUE(same(value(k.type, k.code), k.value)) << k.type << ' ' << k.code;
  }
}

TEST(NarrowTypes, SeveralToAByteStandLowestFirst) {
  const std::vector<float> all = {0,     .5F,  1,  1.5F,  2,  3,  4,  6,
                                  -0.0F, -.5F, -1, -1.5F, -2, -3, -4, -6};
  const std::vector<float> read =
      floats(kE2m1, {0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe}, 16);
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_TRUE(same(read[i], all[i])) << i;

  std::vector<std::int8_t> s(3), s2(4);
  std::vector<std::uint8_t> u(3), u2(4);
  const std::uint8_t bytes[] = {0x8f, 0x07};
  decode_narrow(*narrow_type(kInt4), bytes, 3, s.data());
  decode_narrow(*narrow_type(kUint4), bytes, 3, u.data());
  EXPECT_EQ(s, (std::vector<std::int8_t>{-1, -8, 7}));
  EXPECT_EQ(u, (std::vector<std::uint8_t>{15, 8, 7}));
  const std::uint8_t fours[] = {0b11100100};
  decode_narrow(*narrow_type(kInt2), fours, 4, s2.data());
  decode_narrow(*narrow_type(kUint2), fours, 4, u2.data());
  EXPECT_EQ(s2, (std::vector<std::int8_t>{0, 1, -2, -1}));
  EXPECT_EQ(u2, (std::vector<std::uint8_t>{0, 1, 2, 3}));
}

TEST(NarrowTypes, EveryValueIsItsOwnNearestAndMiddlesGoToEvenCodes) {
  for (const int code : {kE4m3, kE4m3Fnuz, kE5m2, kE5m2Fnuz, kE2m1}) {
    const NarrowType& type = *narrow_type(code);
    for (int c = 0; c + 1 < 1 << (type.bits - 1); ++c) {
      const float low = value(code, c), high = value(code, c + 1);
      EXPECT_TRUE(same(nearest_narrow(type, low, true), low)) << code << ' ' << c;
      EXPECT_EQ(nearest_narrow(type, -low, false), -low) << code << ' ' << c;
      if (!std::isfinite(high)) break;
      const float middle = low + (high - low) / 2;
      EXPECT_EQ(nearest_narrow(type, middle, true), c % 2 == 0 ? low : high) << code << ' ' << c;
      EXPECT_EQ(nearest_narrow(type, std::nextafter(middle, 0.0F), true), low) << code << ' ' << c;
      EXPECT_EQ(nearest_narrow(type, std::nextafter(middle, kInf), true), high) << code << ' ' << c;
    }
  }
}

// The table of ONNX's Cast.
TEST(NarrowTypes, WhatIsTooLargeSaturatesOrIsInfiniteOrNaN) {
  const struct {
    int type;
    float greatest, otherwise;
  } rows[] = {
      {kE4m3, 448, kNaN}, {kE4m3Fnuz, 240, kNaN}, {kE5m2, 57344, kInf}, {kE5m2Fnuz, 57344, kNaN}};
  for (const auto& row : rows) {
    const NarrowType& type = *narrow_type(row.type);
    for (const float x : {row.greatest * 1.2F, 1e30F, kInf}) {
      EXPECT_TRUE(same(nearest_narrow(type, x, true), row.greatest)) << row.type << ' ' << x;
      EXPECT_TRUE(same(nearest_narrow(type, -x, true), -row.greatest)) << row.type << ' ' << x;
      EXPECT_TRUE(same(nearest_narrow(type, x, false), row.otherwise)) << row.type << ' ' << x;
      if (row.type == kE5m2) {
        EXPECT_EQ(nearest_narrow(type, -x, false), -kInf);
      }
    }
    EXPECT_TRUE(std::isnan(nearest_narrow(type, kNaN, true))) << row.type;
    EXPECT_EQ(std::signbit(nearest_narrow(type, -1e-30F, true)),
              type.end != FloatEnd::negative_zero);
  }
  EXPECT_EQ(nearest_narrow(*narrow_type(kE2m1), -kInf, false), -6);
}

TEST(NarrowTypes, OthersAreNotNarrow) {
  for (const int code : {0, 1, 2, 3, 8, 16, 27}) EXPECT_EQ(narrow_type(code), nullptr) << code;
  EXPECT_EQ(held_code(kInt4), 3);
  EXPECT_EQ(held_code(kUint4), 2);
  EXPECT_EQ(held_code(kE5m2), 1);
  EXPECT_EQ(held_code(7), 7);
}

}  // namespace
}  // namespace pbatch
