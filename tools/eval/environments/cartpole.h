// A pole on a cart that is pushed left or right: "CartPole-v1".
#pragma once

#include "tools/eval/environments/environment.h"

namespace pbatch {

/// The cart-pole of Barto, Sutton and Anderson (1983) without friction, by Euler steps of 0.02 s.
/// Action 0 pushes left, 1 right, with 10 N. Reward 1 a step; ends when the cart is more
/// than 2.4 m from the middle or the pole more than 12 degrees from upright.
class CartPole final : public Environment {
 public:
  /// Metres, m/s, radians from upright, rad/s.
  struct State {
    double x = 0, x_dot = 0, theta = 0, theta_dot = 0;
  };
  State state;

  int observation_size() const override { return 4; }
  int actions() const override { return 2; }
  int step_limit() const override { return 500; }
  /// Every variable in [-0.05, 0.05).
  void reset(UniformRandom& random) override;
  void observe(std::span<float> out) const override;
  Outcome step(double action) override;
};

}  // namespace pbatch
