#include "tools/eval/environments/mountaincar.h"

#include <algorithm>
#include <cmath>

namespace pbatch {
namespace {

constexpr double kForce = 0.001;
constexpr double kGravity = 0.0025;
constexpr double kMaxSpeed = 0.07;
constexpr double kLeftEnd = -1.2, kRightEnd = 0.6;
constexpr double kGoal = 0.5;

}  // namespace

void MountainCar::reset(UniformRandom& random) { state = {random(-0.6, -0.4), 0}; }

void MountainCar::observe(std::span<float> out) const {
  out[0] = static_cast<float>(state.position);
  out[1] = static_cast<float>(state.velocity);
}

Environment::Outcome MountainCar::step(double action) {
  const double push = (action - 1) * kForce;
  // The height of the hill is sin(3 x), so its slope goes with cos(3 x).
  state.velocity = std::clamp(state.velocity + push - kGravity * std::cos(3 * state.position),
                              -kMaxSpeed, kMaxSpeed);
  state.position = std::clamp(state.position + state.velocity, kLeftEnd, kRightEnd);
  if (state.position == kLeftEnd) state.velocity = std::max(state.velocity, 0.0);
  return {-1.0, state.position >= kGoal && state.velocity >= 0};
}

}  // namespace pbatch
