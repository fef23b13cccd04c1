#include "report/environments/acrobot.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace pbatch {
namespace {

constexpr double kPi = std::numbers::pi;
constexpr double kGravity = 9.8;
constexpr double kMass = 1.0;     // of each link
constexpr double kLength = 1.0;   // of the first link
constexpr double kCentre = 0.5;   // from a link's joint to its centre of mass
constexpr double kInertia = 1.0;  // of each link about its centre of mass
constexpr double kTimeStep = 0.2;
constexpr double kMaxSpeed1 = 4 * kPi, kMaxSpeed2 = 9 * kPi;

Acrobot::State moved(const Acrobot::State& from, const Acrobot::State& along, double time) {
  Acrobot::State to;
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = from[i] + time * along[i];
  return to;
}

// Into [-pi, pi].
double wrapped(double angle) { return std::remainder(angle, 2 * kPi); }

}  // namespace

Acrobot::State Acrobot::derivative(const State& s, double torque) {
  const double sine2 = std::sin(s[1]), cosine2 = std::cos(s[1]);
  const double coupling = kMass * kLength * kCentre;
  const double d1 = kMass * kCentre * kCentre + kMass * (kLength * kLength + kCentre * kCentre) +
                    2 * coupling * cosine2 + 2 * kInertia;
  const double d2 = kMass * kCentre * kCentre + coupling * cosine2 + kInertia;
  // Gravity and centrifugal forces; an angle is from hanging down, so cos(a - pi/2) is sin(a).
  const double phi2 = kMass * kCentre * kGravity * std::sin(s[0] + s[1]);
  const double phi1 = -coupling * s[3] * s[3] * sine2 - 2 * coupling * s[3] * s[2] * sine2 +
                      (kMass * kCentre + kMass * kLength) * kGravity * std::sin(s[0]) + phi2;
  const double acc2 = (torque + d2 / d1 * phi1 - coupling * s[2] * s[2] * sine2 - phi2) /
                      (kMass * kCentre * kCentre + kInertia - d2 * d2 / d1);
  const double acc1 = -(d2 * acc2 + phi1) / d1;
  return {s[2], s[3], acc1, acc2};
}

void Acrobot::reset(UniformRandom& random) {
  for (double& v : state) v = random(-0.1, 0.1);
}

void Acrobot::observe(std::span<float> out) const {
  const double values[] = {std::cos(state[0]), std::sin(state[0]), std::cos(state[1]),
                           std::sin(state[1]), state[2],           state[3]};
  std::transform(std::begin(values), std::end(values), out.begin(),
                 [](double v) { return static_cast<float>(v); });
}

Environment::Outcome Acrobot::step(double action) {
  const double torque = action - 1;
  const State k1 = derivative(state, torque);
  const State k2 = derivative(moved(state, k1, kTimeStep / 2), torque);
  const State k3 = derivative(moved(state, k2, kTimeStep / 2), torque);
  const State k4 = derivative(moved(state, k3, kTimeStep), torque);
  for (std::size_t i = 0; i < state.size(); ++i) {
    state[i] += kTimeStep / 6 * (k1[i] + 2 * k2[i] + 2 * k3[i] + k4[i]);
  }
  state[0] = wrapped(state[0]);
  state[1] = wrapped(state[1]);
  state[2] = std::clamp(state[2], -kMaxSpeed1, kMaxSpeed1);
  state[3] = std::clamp(state[3], -kMaxSpeed2, kMaxSpeed2);
  const double height = -std::cos(state[0]) - std::cos(state[0] + state[1]);
  const bool done = height > kLength;
  return {done ? 0.0 : -1.0, done};
}

}  // namespace pbatch
