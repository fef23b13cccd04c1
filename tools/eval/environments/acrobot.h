// Two links that swing up by the joint between them: "Acrobot-v1".
#pragma once

#include <array>

#include "tools/eval/environments/environment.h"

namespace pbatch {

/// The acrobot of Sutton and Barto's book: two links of 1 m and 1 kg, a torque of -1, 0 or 1 Nm
/// (action 0, 1, 2) at the joint between them, one Runge-Kutta step of 0.2 s. Reward -1 a step and
/// 0 for the last; ends when the tip is one link's length above the fixed joint.
class Acrobot final : public Environment {
 public:
  /// Angle of the first link from hanging down, of the second from the first, and their
  /// velocities; radians, rad/s.
  using State = std::array<double, 4>;
  State state{};

  /// The equations of motion: time derivatives of `state` under `torque`.
  static State derivative(const State& state, double torque);

  int observation_size() const override { return 6; }
  int actions() const override { return 3; }
  int step_limit() const override { return 500; }
  /// Every variable in [-0.1, 0.1).
  void reset(UniformRandom& random) override;
  /// Cosine and sine of each angle, then the velocities.
  void observe(std::span<float> out) const override;
  Outcome step(double action) override;
};

}  // namespace pbatch
