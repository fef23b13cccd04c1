#include "graph/half.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace pbatch {
namespace {

// The definition of binary16: (-1)^s 2^(e - 15) (1 + f / 1024), subnormal for e = 0.
double value_of_f16(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 31, fraction = bits & 1023;
  const double magnitude =
      exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

TEST(Half, EveryFloat16IsExactAndComesBack) {
  for (std::uint32_t b = 0; b < 0x10000; ++b) {
    const auto bits = static_cast<std::uint16_t>(b);
    const float value = f16_to_f32(bits);
    if (((bits >> 10) & 31) == 31) {
      EXPECT_EQ(std::isnan(value), (bits & 1023) != 0) << b;
      EXPECT_EQ(std::signbit(value), bits >= 0x8000) << b;
      if (std::isinf(value)) {
        EXPECT_EQ(f32_to_f16(value), bits);
      } else {
        EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(value))));
      }
      continue;
    }
    ASSERT_EQ(double{value}, value_of_f16(bits)) << b;
    ASSERT_EQ(std::signbit(value), bits >= 0x8000) << b;
    ASSERT_EQ(f32_to_f16(value), bits) << b;
  }
}

TEST(Half, Float16RoundsToNearestTiesToEven) {
  // Between each two neighbours: the middle goes to the even one, anything nearer to its own.
  for (std::uint16_t low = 0; low < 0x7bff; ++low) {
    const auto high = static_cast<std::uint16_t>(low + 1);
    const auto middle = static_cast<float>((value_of_f16(low) + value_of_f16(high)) / 2);
    ASSERT_EQ(f32_to_f16(middle), low % 2 == 0 ? low : high) << low;
    ASSERT_EQ(f32_to_f16(std::nextafter(middle, 0.0f)), low) << low;
    ASSERT_EQ(f32_to_f16(std::nextafter(middle, 1e9f)), high) << low;
    ASSERT_EQ(f32_to_f16(-middle), 0x8000 | (low % 2 == 0 ? low : high)) << low;
  }
}

TEST(Half, Float16Overflow) {
  EXPECT_EQ(f32_to_f16(65519.996f), 0x7bff);
  EXPECT_EQ(f32_to_f16(65520.0f), 0x7c00);
  EXPECT_EQ(f32_to_f16(std::numeric_limits<float>::max()), 0x7c00);
  EXPECT_EQ(f32_to_f16(-1e20f), 0xfc00);
  EXPECT_EQ(f32_to_f16(std::numeric_limits<float>::denorm_min()), 0);
}

TEST(Half, EveryBfloat16IsTheUpperHalfOfAFloat) {
  for (std::uint32_t b = 0; b < 0x10000; ++b) {
    const auto bits = static_cast<std::uint16_t>(b);
    const float value = bf16_to_f32(bits);
    ASSERT_EQ(std::bit_cast<std::uint32_t>(value), b << 16);
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(value))));
    } else {
      ASSERT_EQ(f32_to_bf16(value), bits);
    }
  }
}

TEST(Half, Bfloat16RoundsToNearestTiesToEven) {
  for (std::uint32_t low = 0; low < 0x7f7f; ++low) {
    const auto at = [low](std::uint32_t rest) {
      return f32_to_bf16(std::bit_cast<float>((low << 16) + rest));
    };
    ASSERT_EQ(at(0x7fff), low);
    ASSERT_EQ(at(0x8000), low % 2 == 0 ? low : low + 1);
    ASSERT_EQ(at(0x8001), low + 1);
  }
  EXPECT_EQ(f32_to_bf16(std::numeric_limits<float>::max()), 0x7f80);
  // A NaN whose upper half alone would be an infinity.
  EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(std::bit_cast<float>(0x7f800001u)))));
}

}  // namespace
}  // namespace pbatch
