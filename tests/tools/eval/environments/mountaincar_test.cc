#include "tools/eval/environments/mountaincar.h"

#include <gtest/gtest.h>

#include <cmath>

namespace pbatch {
namespace {

TEST(MountainCarTest, OneStepAsByHand) {
  MountainCar env;
  env.state = {-0.5, 0};
  const auto outcome = env.step(2);
  EXPECT_EQ(outcome.reward, -1);
  EXPECT_FALSE(outcome.done);
  // cos(-1.5) = 0.0707372; 0.001 - 0.0025 * 0.0707372 = 0.000823157.
  EXPECT_NEAR(env.state.velocity, 0.000823157, 1e-9);
  EXPECT_NEAR(env.state.position, -0.499176843, 1e-9);
  env.state = {-0.5, 0};
  env.step(0);
  EXPECT_NEAR(env.state.velocity, -0.001176843, 1e-9);
}

TEST(MountainCarTest, RollsWithoutLosingEnergy) {
  // v' = -0.0025 cos(3 x): the potential is 0.0025 sin(3 x) / 3. A symplectic step keeps the
  // energy within its step's error however long it runs.
  MountainCar env;
  env.state = {-0.9, 0};
  const auto energy = [&] {
    return env.state.velocity * env.state.velocity / 2 +
           0.0025 * std::sin(3 * env.state.position) / 3;
  };
  const double bottom = -0.0025 / 3, start = energy() - bottom;
  double right = -0.9;
  for (int i = 0; i < 2000; ++i) {
    env.step(1);
    right = std::max(right, env.state.position);
    ASSERT_NEAR(energy() - bottom, start, 0.05 * start);
  }
  EXPECT_NEAR(right, -std::acos(-1.0) / 3 + 0.9, 0.03);  // as high on the other side
}

TEST(MountainCarTest, WallsLimitsAndGoal) {
  MountainCar env;
  env.state = {-1.19, -0.06};
  env.step(0);
  EXPECT_EQ(env.state.position, -1.2);
  EXPECT_EQ(env.state.velocity, 0);
  env.state = {-0.8, 0.0699};
  env.step(2);
  EXPECT_EQ(env.state.velocity, 0.07);
  env.state = {0.46, 0.05};
  EXPECT_TRUE(env.step(2).done);
  env.state = {0.44, 0.05};
  EXPECT_FALSE(env.step(2).done);
}

TEST(MountainCarTest, StartsAtRestInTheValley) {
  MountainCar env;
  UniformRandom random(5);
  for (int i = 0; i < 100; ++i) {
    env.reset(random);
    EXPECT_GE(env.state.position, -0.6);
    EXPECT_LT(env.state.position, -0.4);
    EXPECT_EQ(env.state.velocity, 0);
  }
}

}  // namespace
}  // namespace pbatch
