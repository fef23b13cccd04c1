// A car too weak for the hill it must climb: "MountainCar-v0".
#pragma once

#include "tools/eval/environments/environment.h"

namespace pbatch {

/// The mountain car of Moore (1990) as in Sutton and Barto. Action 0 pushes left, 1 rolls, 2 pushes
/// right. Reward -1 a step; ends at the top on the right, position 0.5.
class MountainCar final : public Environment {
 public:
  struct State {
    double position = 0, velocity = 0;  ///< in [-1.2, 0.6] and [-0.07, 0.07]
  };
  State state;

  int observation_size() const override { return 2; }
  int actions() const override { return 3; }
  int step_limit() const override { return 200; }
  /// At rest in the valley, at [-0.6, -0.4).
  void reset(UniformRandom& random) override;
  void observe(std::span<float> out) const override;
  Outcome step(double action) override;
};

}  // namespace pbatch
