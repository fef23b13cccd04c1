#include "tools/eval/environments/cartpole.h"

#include <gtest/gtest.h>

#include <cmath>

namespace pbatch {
namespace {

TEST(CartPoleTest, FromRestAsByHand) {
  // temp = 10 / 1.1; theta'' = -temp / (0.5 (4/3 - 0.1/1.1)) = -600/41;
  // x'' = temp - 0.05 theta'' / 1.1 = 400/41. Euler moves the positions only at the next step.
  CartPole env;
  const auto outcome = env.step(1);
  EXPECT_EQ(outcome.reward, 1);
  EXPECT_FALSE(outcome.done);
  EXPECT_EQ(env.state.x, 0);
  EXPECT_EQ(env.state.theta, 0);
  EXPECT_NEAR(env.state.x_dot, 0.02 * 400 / 41, 1e-14);
  EXPECT_NEAR(env.state.theta_dot, -0.02 * 600 / 41, 1e-14);
  env.step(0);
  EXPECT_NEAR(env.state.x, 0.0004 * 400 / 41, 1e-14);
  EXPECT_NEAR(env.state.theta, -0.0004 * 600 / 41, 1e-14);
}

TEST(CartPoleTest, AccelerationsFulfilNewton) {
  UniformRandom random(3);
  for (int i = 0; i < 200; ++i) {
    CartPole env;
    env.state = {random(-2, 2), random(-3, 3), random(-1.5, 1.5), random(-4, 4)};
    const CartPole::State before = env.state;
    env.step(i % 2);
    const double x_acc = (env.state.x_dot - before.x_dot) / 0.02;
    const double theta_acc = (env.state.theta_dot - before.theta_dot) / 0.02;
    const double s = std::sin(before.theta), c = std::cos(before.theta);
    // The rate of the horizontal momentum is the force.
    EXPECT_NEAR(1.1 * x_acc + 0.05 * (theta_acc * c - before.theta_dot * before.theta_dot * s),
                i % 2 == 1 ? 10 : -10, 1e-9);
    // A rod about its hinge, seen from the cart: (4/3) l theta'' = g sin - x'' cos.
    EXPECT_NEAR(4.0 / 3.0 * 0.5 * theta_acc, 9.8 * s - x_acc * c, 1e-9);
    EXPECT_NEAR(env.state.x, before.x + 0.02 * before.x_dot, 1e-14);
    EXPECT_NEAR(env.state.theta, before.theta + 0.02 * before.theta_dot, 1e-14);
  }
}

TEST(CartPoleTest, EndsBeyondTwelveDegreesOrTheTrack) {
  const double degree = std::acos(-1.0) / 180;
  const auto ends = [](CartPole::State state) {
    CartPole env;
    env.state = state;
    return env.step(0).done;
  };
  EXPECT_FALSE(ends({2.399, 0, 0, 0}));
  EXPECT_TRUE(ends({-2.401, 0, 0, 0}));
  EXPECT_TRUE(ends({2.39, 1, 0, 0}));
  EXPECT_FALSE(ends({0, 0, 11.99 * degree, 0}));
  EXPECT_TRUE(ends({0, 0, -12.01 * degree, 0}));
}

TEST(CartPoleTest, StartsNearTheMiddleAndShowsItsState) {
  CartPole env;
  UniformRandom random(1), again(1), other(2);
  env.reset(random);
  float first[4], second[4], third[4];
  env.observe(first);
  for (const float v : first) EXPECT_LE(std::fabs(v), 0.05F);
  EXPECT_EQ(first[0], static_cast<float>(env.state.x));
  EXPECT_EQ(first[3], static_cast<float>(env.state.theta_dot));
  env.reset(again);
  env.observe(second);
  env.reset(other);
  env.observe(third);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(first[i], second[i]);
    EXPECT_NE(first[i], third[i]);
  }
}

}  // namespace
}  // namespace pbatch
