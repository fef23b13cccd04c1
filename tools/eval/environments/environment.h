// Worlds that a control policy acts in.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pbatch {

/// Uniform numbers from a seed, the same on every platform.
class UniformRandom {
 public:
  explicit UniformRandom(std::uint64_t seed) : bits_(seed) {}
  /// In [low, high).
  double operator()(double low, double high) {
    return low + (high - low) * (static_cast<double>(bits_() >> 11) * 0x1p-53);
  }

 private:
  std::mt19937_64 bits_;
};

/// One episode after another; between reset() and the step that ends it.
/// An object is for one thread.
class Environment {
 public:
  struct Outcome {
    double reward = 0;
    bool done = false;  ///< ended by itself; the limit of steps is the caller's to keep
  };

  virtual ~Environment() = default;
  virtual int observation_size() const = 0;
  /// Actions are 0 .. actions() - 1; 0: an action is any real number.
  virtual int actions() const = 0;
  /// Steps after which an episode ends in any case.
  virtual int step_limit() const = 0;
  virtual void reset(UniformRandom& random) = 0;
  /// Precondition: `out` has observation_size() elements.
  virtual void observe(std::span<float> out) const = 0;
  /// Precondition: a whole number in [0, actions()), or finite where actions() is 0.
  virtual Outcome step(double action) = 0;
};

/// "cartpole", "mountaincar", "acrobot", "pendulum".
const std::vector<std::string>& environment_names();
/// Null if there is none of that name.
std::unique_ptr<Environment> make_environment(std::string_view name);

}  // namespace pbatch
