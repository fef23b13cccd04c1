#include "tools/eval/environments/acrobot.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace pbatch {
namespace {

constexpr double kAcrobotPi = std::numbers::pi;
constexpr double kAcrobotGravity = 9.8;
constexpr double kLinkMass = 1.0;    // of each link
constexpr double kLinkLength = 1.0;  // of the first link
constexpr double kCentre = 0.5;      // from a link's joint to its centre of mass
constexpr double kInertia = 1.0;     // of each link about its centre of mass
constexpr double kAcrobotTimeStep = 0.2;
constexpr double kMaxSpeed1 = 4 * kAcrobotPi, kMaxSpeed2 = 9 * kAcrobotPi;

Acrobot::State moved(const Acrobot::State& from, const Acrobot::State& along, double time) {
  Acrobot::State to;
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = from[i] + time * along[i];
  return to;
}

// Into [-pi, pi].
double wrapped(double angle) { return std::remainder(angle, 2 * kAcrobotPi); }

}  // namespace

Acrobot::State Acrobot::derivative(const State& s, double torque) {
  const double sine2 = std::sin(s[1]), cosine2 = std::cos(s[1]);
  const double coupling = kLinkMass * kLinkLength * kCentre;
  const double d1 = kLinkMass * kCentre * kCentre +
                    kLinkMass * (kLinkLength * kLinkLength + kCentre * kCentre) +
                    2 * coupling * cosine2 + 2 * kInertia;
  const double d2 = kLinkMass * kCentre * kCentre + coupling * cosine2 + kInertia;
  // Gravity and centrifugal forces; an angle is from hanging down, so cos(a - pi/2) is sin(a).
  const double phi2 = kLinkMass * kCentre * kAcrobotGravity * std::sin(s[0] + s[1]);
  const double phi1 =
      -coupling * s[3] * s[3] * sine2 - 2 * coupling * s[3] * s[2] * sine2 +
      (kLinkMass * kCentre + kLinkMass * kLinkLength) * kAcrobotGravity * std::sin(s[0]) + phi2;
  const double acc2 = (torque + d2 / d1 * phi1 - coupling * s[2] * s[2] * sine2 - phi2) /
                      (kLinkMass * kCentre * kCentre + kInertia - d2 * d2 / d1);
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
  const State k2 = derivative(moved(state, k1, kAcrobotTimeStep / 2), torque);
  const State k3 = derivative(moved(state, k2, kAcrobotTimeStep / 2), torque);
  const State k4 = derivative(moved(state, k3, kAcrobotTimeStep), torque);
  for (std::size_t i = 0; i < state.size(); ++i) {
    state[i] += kAcrobotTimeStep / 6 * (k1[i] + 2 * k2[i] + 2 * k3[i] + k4[i]);
  }
  state[0] = wrapped(state[0]);
  state[1] = wrapped(state[1]);
  state[2] = std::clamp(state[2], -kMaxSpeed1, kMaxSpeed1);
  state[3] = std::clamp(state[3], -kMaxSpeed2, kMaxSpeed2);
  const double height = -std::cos(state[0]) - std::cos(state[0] + state[1]);
  const bool done = height > kLinkLength;
  return {done ? 0.0 : -1.0, done};
}

}  // namespace pbatch
