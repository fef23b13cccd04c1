#include "report/environments/pendulum.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace pbatch {
namespace {

constexpr double kPi = std::numbers::pi;
constexpr double kGravity = 10.0;
constexpr double kMass = 1.0;
constexpr double kLength = 1.0;
constexpr double kMaxTorque = 2.0;
constexpr double kMaxSpeed = 8.0;
constexpr double kTimeStep = 0.05;

}  // namespace

void Pendulum::reset(UniformRandom& random) {
  state.angle = random(-kPi, kPi);
  state.velocity = random(-1, 1);
}

void Pendulum::observe(std::span<float> out) const {
  out[0] = static_cast<float>(std::cos(state.angle));
  out[1] = static_cast<float>(std::sin(state.angle));
  out[2] = static_cast<float>(state.velocity);
}

Environment::Outcome Pendulum::step(double action) {
  const double torque = std::clamp(action, -kMaxTorque, kMaxTorque);
  const double angle = std::remainder(state.angle, 2 * kPi);
  const double cost =
      angle * angle + 0.1 * state.velocity * state.velocity + 0.001 * torque * torque;
  // A rod's moment of inertia about its end is m l^2 / 3.
  const double acceleration = 3 * kGravity / (2 * kLength) * std::sin(state.angle) +
                              3 / (kMass * kLength * kLength) * torque;
  state.velocity = std::clamp(state.velocity + acceleration * kTimeStep, -kMaxSpeed, kMaxSpeed);
  state.angle += state.velocity * kTimeStep;
  return {-cost, false};
}

}  // namespace pbatch
