#include "tools/eval/environments/pendulum.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace pbatch {
namespace {

constexpr double kPi = std::numbers::pi;

TEST(PendulumTest, OneStepAsByHand) {
  // velocity: (15 sin(pi/2) + 3) * 0.05 = 0.9; the angle moves by the new velocity.
  Pendulum env;
  env.state = {kPi / 2, 0};
  const auto outcome = env.step(1);
  EXPECT_NEAR(outcome.reward, -(kPi * kPi / 4 + 0.001), 1e-12);
  EXPECT_FALSE(outcome.done);
  EXPECT_NEAR(env.state.velocity, 0.9, 1e-12);
  EXPECT_NEAR(env.state.angle, kPi / 2 + 0.045, 1e-12);
}

TEST(PendulumTest, CostCountsTheAngleFromUprightAndTheClippedTorque) {
  Pendulum env;
  env.state = {2 * kPi + 0.1, 3};
  EXPECT_NEAR(env.step(100).reward, -(0.01 + 0.9 + 0.004), 1e-12);
  EXPECT_NEAR(env.state.velocity, 3 + (15 * std::sin(0.1) + 6) * 0.05, 1e-12);
  env.state = {0, 7.9};
  env.step(2);
  EXPECT_EQ(env.state.velocity, 8);
}

TEST(PendulumTest, SmallSwingsHaveTheRodsPeriod) {
  // Hanging, angle'' = -15 sin: the period is 2 pi / sqrt(15) = 1.622 s, 32.4 steps.
  Pendulum env;
  env.state = {kPi + 0.05, 0};
  int crossings = 0;
  double before = 0.05;
  for (int i = 0; i < 3244; ++i) {  // 100 periods
    env.step(0);
    const double now = env.state.angle - kPi;
    crossings += (before < 0) != (now < 0) ? 1 : 0;
    before = now;
    ASSERT_LE(std::fabs(now), 0.06);  // and gains no energy
  }
  EXPECT_NEAR(crossings, 200, 2);
}

TEST(PendulumTest, ObservesAndStarts) {
  Pendulum env;
  env.state = {2.5, -1.5};
  float seen[3];
  env.observe(seen);
  EXPECT_FLOAT_EQ(seen[0], -0.80114362F);
  EXPECT_FLOAT_EQ(seen[1], 0.59847214F);
  EXPECT_EQ(seen[2], -1.5F);
  UniformRandom random(9);
  double least = 0, greatest = 0;
  for (int i = 0; i < 200; ++i) {
    env.reset(random);
    least = std::min(least, env.state.angle);
    greatest = std::max(greatest, env.state.angle);
    EXPECT_LE(std::fabs(env.state.velocity), 1);
  }
  EXPECT_LT(least, -2.5);
  EXPECT_GT(greatest, 2.5);
}

}  // namespace
}  // namespace pbatch
