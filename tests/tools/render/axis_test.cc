#include "tools/render/axis.h"

#include <gtest/gtest.h>

#include <cmath>

namespace pbatch {
namespace {

TEST(AxisTest, OrdersAndContainsValues) {
  for (const Scale scale : {Scale::linear, Scale::log, Scale::near_top}) {
    const Axis axis(scale, {0.1, 0.5, 0.99}, 0, 400);
    EXPECT_GT(axis.pixel(0.1), 0);
    EXPECT_LT(axis.pixel(0.1), axis.pixel(0.5));
    EXPECT_LT(axis.pixel(0.5), axis.pixel(0.99));
    EXPECT_LT(axis.pixel(0.99), 400);
  }
}

TEST(AxisTest, ScalesAreWhatTheySay) {
  const Axis log(Scale::log, {1, 100}, 0, 100);
  EXPECT_NEAR(log.pixel(10), 50, 1e-9);
  // Margins: 8 of 116 pixels each. The bend lies at 0.1, so 0.9 is 100 (1 - ln 2 / ln 11) up.
  const Axis top(Scale::near_top, {1.0, 0.0}, 0, 116);
  EXPECT_NEAR(top.pixel(0), 8, 1e-9);
  EXPECT_NEAR(top.pixel(0.9), 108 - 100 * std::log(2.0) / std::log(11.0), 1e-9);
  EXPECT_NEAR(top.pixel(1), 108, 1e-9);
}

TEST(AxisTest, TicksAreRoundAndApart) {
  const Axis axis(Scale::linear, {0, 10}, 0, 400);
  const auto ticks = axis.ticks(30);
  ASSERT_GE(ticks.size(), 3U);
  for (std::size_t i = 1; i < ticks.size(); ++i) {
    EXPECT_GE(axis.pixel(ticks[i]) - axis.pixel(ticks[i - 1]), 30);
  }
  for (const double t : ticks) EXPECT_NEAR(t, std::round(t), 1e-9);
}

TEST(AxisTest, OneValueStillDraws) {
  for (const double v : {0.0, 1.0, 1e9}) {
    const Axis axis(Scale::linear, {v}, 0, 100);
    EXPECT_NEAR(axis.pixel(v), 50, 1e-6);
  }
  for (const Scale scale : {Scale::linear, Scale::log, Scale::near_top}) {
    EXPECT_FALSE(Axis(scale, {0.5, 0.5}, 0, 100).ticks(20).empty());
  }
}

}  // namespace
}  // namespace pbatch
