#include "tools/eval/environments/acrobot.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace pbatch {
namespace {

// Kinetic energy of both links' centres and turning, plus potential energy.
double energy(const Acrobot::State& s) {
  const double both = s[2] + s[3];
  const double kinetic =
      0.5 * 0.25 * s[2] * s[2] +
      0.5 * (s[2] * s[2] + 0.25 * both * both + 2 * 0.5 * s[2] * both * std::cos(s[1])) +
      0.5 * s[2] * s[2] + 0.5 * both * both;
  const double potential =
      -9.8 * 0.5 * std::cos(s[0]) - 9.8 * (std::cos(s[0]) + 0.5 * std::cos(s[0] + s[1]));
  return kinetic + potential;
}

TEST(AcrobotTest, HangingWithTorqueAsByHand) {
  // d1 = 4.5, d2 = 1.75: a2 = 1 / (1.25 - 1.75^2 / 4.5) = 72/41, a1 = -1.75/4.5 a2 = -28/41.
  const auto d = Acrobot::derivative({0, 0, 0, 0}, 1);
  EXPECT_EQ(d[0], 0);
  EXPECT_EQ(d[1], 0);
  EXPECT_NEAR(d[2], -28.0 / 41, 1e-12);
  EXPECT_NEAR(d[3], 72.0 / 41, 1e-12);
}

TEST(AcrobotTest, EnergyChangesOnlyByTheTorquesWork) {
  UniformRandom random(7);
  for (int i = 0; i < 200; ++i) {
    const Acrobot::State s{random(-3, 3), random(-3, 3), random(-4, 4), random(-6, 6)};
    const double torque = i % 3 - 1;
    const auto d = Acrobot::derivative(s, torque);
    double rate = 0;
    for (std::size_t v = 0; v < 4; ++v) {
      Acrobot::State up = s, down = s;
      up[v] += 1e-5;
      down[v] -= 1e-5;
      rate += (energy(up) - energy(down)) / 2e-5 * d[v];
    }
    EXPECT_NEAR(rate, torque * s[3], 1e-5);
  }
}

TEST(AcrobotTest, AStepFollowsTheEquations) {
  // 20000 Euler steps of 10 microseconds.
  Acrobot env;
  env.state = {0.4, -0.3, 0.5, 0.2};
  Acrobot::State fine = env.state;
  for (int i = 0; i < 20000; ++i) {
    const auto d = Acrobot::derivative(fine, -1);
    for (std::size_t v = 0; v < 4; ++v) fine[v] += 1e-5 * d[v];
  }
  env.step(0);
  for (std::size_t v = 0; v < 4; ++v) EXPECT_NEAR(env.state[v], fine[v], 2e-3) << v;
}

TEST(AcrobotTest, FreeSwingKeepsItsEnergy) {
  Acrobot env;
  env.state = {0.5, 0.2, 0, 0};
  const double start = energy(env.state);
  for (int i = 0; i < 50; ++i) {
    env.step(1);
    ASSERT_NEAR(energy(env.state), start, 0.02 * std::fabs(start));
  }
}

TEST(AcrobotTest, WrapsClipsAndEnds) {
  Acrobot env;
  env.state = {std::numbers::pi - 0.01, 0, 1, 0};
  const auto up = env.step(1);
  EXPECT_TRUE(up.done);
  EXPECT_EQ(up.reward, 0);
  EXPECT_LT(env.state[0], 0);  // beyond pi comes -pi
  env.state = {0, 0, 12.5, 28.2};
  env.step(2);
  EXPECT_LE(std::fabs(env.state[2]), 4 * std::numbers::pi);
  EXPECT_LE(std::fabs(env.state[3]), 9 * std::numbers::pi);
  env.state = {0.1, 0.1, 0, 0};
  const auto low = env.step(2);
  EXPECT_FALSE(low.done);
  EXPECT_EQ(low.reward, -1);
}

TEST(AcrobotTest, ObservesAngles) {
  Acrobot env;
  env.state = {0.3, -1.2, 2, -3};
  float seen[6];
  env.observe(seen);
  EXPECT_FLOAT_EQ(seen[0], 0.95533649F);
  EXPECT_FLOAT_EQ(seen[1], 0.29552021F);
  EXPECT_FLOAT_EQ(seen[2], 0.36235775F);
  EXPECT_FLOAT_EQ(seen[3], -0.93203909F);
  EXPECT_EQ(seen[4], 2);
  EXPECT_EQ(seen[5], -3);
}

}  // namespace
}  // namespace pbatch
