// A pendulum to be swung up and held by a weak motor: "Pendulum-v1".
#pragma once

#include "tools/eval/environments/environment.h"

namespace pbatch {

/// A rod of 1 m and 1 kg, turned by a torque within [-2, 2] Nm: the action, clipped to that.
/// Reward -(angle^2 + 0.1 velocity^2 + 0.001 torque^2), the angle from upright. Never ends by
/// itself.
class Pendulum final : public Environment {
 public:
  struct State {
    double angle = 0, velocity = 0;  ///< radians from upright, unwrapped; rad/s within [-8, 8]
  };
  State state;

  int observation_size() const override { return 3; }
  int actions() const override { return 0; }
  int step_limit() const override { return 200; }
  /// Any angle, a velocity in [-1, 1).
  void reset(UniformRandom& random) override;
  /// Cosine and sine of the angle, and the velocity.
  void observe(std::span<float> out) const override;
  Outcome step(double action) override;
};

}  // namespace pbatch
