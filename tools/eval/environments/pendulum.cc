#include "tools/eval/environments/pendulum.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace pbatch {
namespace {

constexpr double kPendulumPi = std::numbers::pi;
constexpr double kPendulumGravity = 10.0;
constexpr double kPendulumMass = 1.0;
constexpr double kPendulumLength = 1.0;
constexpr double kMaxTorque = 2.0;
constexpr double kPendulumMaxSpeed = 8.0;
constexpr double kPendulumTimeStep = 0.05;

}  // namespace

void Pendulum::reset(UniformRandom& random) {
  state.angle = random(-kPendulumPi, kPendulumPi);
  state.velocity = random(-1, 1);
}

void Pendulum::observe(std::span<float> out) const {
  out[0] = static_cast<float>(std::cos(state.angle));
  out[1] = static_cast<float>(std::sin(state.angle));
  out[2] = static_cast<float>(state.velocity);
}

Environment::Outcome Pendulum::step(double action) {
  const double torque = std::clamp(action, -kMaxTorque, kMaxTorque);
  const double angle = std::remainder(state.angle, 2 * kPendulumPi);
  const double cost =
      angle * angle + 0.1 * state.velocity * state.velocity + 0.001 * torque * torque;
  // A rod's moment of inertia about its end is m l^2 / 3.
  const double acceleration = 3 * kPendulumGravity / (2 * kPendulumLength) * std::sin(state.angle) +
                              3 / (kPendulumMass * kPendulumLength * kPendulumLength) * torque;
  state.velocity = std::clamp(state.velocity + acceleration * kPendulumTimeStep, -kPendulumMaxSpeed,
                              kPendulumMaxSpeed);
  state.angle += state.velocity * kPendulumTimeStep;
  return {-cost, false};
}

}  // namespace pbatch
