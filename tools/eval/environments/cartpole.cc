#include "tools/eval/environments/cartpole.h"

#include <cmath>
#include <numbers>

namespace pbatch {
namespace {

constexpr double kCartGravity = 9.8;
constexpr double kCartMass = 1.0;
constexpr double kPoleMass = 0.1;
constexpr double kHalfLength = 0.5;  // from the hinge to the pole's centre of mass
constexpr double kCartForce = 10.0;
constexpr double kCartTimeStep = 0.02;
constexpr double kMaxX = 2.4;
constexpr double kMaxAngle = 12 * std::numbers::pi / 180;

}  // namespace

void CartPole::reset(UniformRandom& random) {
  for (double* v : {&state.x, &state.x_dot, &state.theta, &state.theta_dot}) {
    *v = random(-0.05, 0.05);
  }
}

void CartPole::observe(std::span<float> out) const {
  out[0] = static_cast<float>(state.x);
  out[1] = static_cast<float>(state.x_dot);
  out[2] = static_cast<float>(state.theta);
  out[3] = static_cast<float>(state.theta_dot);
}

Environment::Outcome CartPole::step(double action) {
  const double force = action == 1 ? kCartForce : -kCartForce;
  const double sine = std::sin(state.theta), cosine = std::cos(state.theta);
  const double mass = kCartMass + kPoleMass;
  const double centrifugal = kPoleMass * kHalfLength * state.theta_dot * state.theta_dot * sine;
  // Newton for cart and pole together, and for the turning pole, solved for both accelerations.
  const double pushed = (force + centrifugal) / mass;
  const double theta_acc = (kCartGravity * sine - cosine * pushed) /
                           (kHalfLength * (4.0 / 3.0 - kPoleMass * cosine * cosine / mass));
  const double x_acc = pushed - kPoleMass * kHalfLength * theta_acc * cosine / mass;
  state.x += kCartTimeStep * state.x_dot;
  state.x_dot += kCartTimeStep * x_acc;
  state.theta += kCartTimeStep * state.theta_dot;
  state.theta_dot += kCartTimeStep * theta_acc;
  return {1.0, std::fabs(state.x) > kMaxX || std::fabs(state.theta) > kMaxAngle};
}

}  // namespace pbatch
