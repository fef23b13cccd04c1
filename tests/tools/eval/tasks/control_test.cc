#include "tools/eval/tasks/control.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "tests/support/scratch.h"
#include "tests/support/step_networks.h"
#include "tools/eval/environments/mountaincar.h"
#include "tools/eval/environments/pendulum.h"

namespace pbatch {
namespace {

using namespace pbatch::testing;

class ControlTest : public Scratch {
 protected:
  Result<Control> evaluate(const Graph& policy, const std::string& environment,
                           ControlOptions options = {}) {
    write_onnx(policy, path("policy.onnx"));
    const auto session = Session::load(path("policy.onnx"), {.threads = 1});
    EXPECT_TRUE(session) << session.status().to_line();
    const Contender c{&*session, Precision::f32(), {}};
    options.timing = {.seconds = 0, .min_rounds = 1};
    Progress progress;
    return evaluate_control({&c, 1}, environment, options, progress);
  }
};

// observation [?, in] -> [?, out], by one matrix.
Graph linear_policy(std::int64_t in, std::int64_t out, const std::vector<float>& w,
                    const Shape& shape) {
  NetBuilder b;
  const ValueId x = b.input("obs", DType::f32, shape);
  b.output(b.node("MatMul", {x, b.floats({in, out}, w)}), "q", {shape[0], out});
  return b.graph();
}

TEST_F(ControlTest, PlaysAKnownPolicy) {
  // Pushing the way it moves takes the car up the hill: played here by hand.
  ControlOptions options;
  options.episodes = 20;
  options.seed = 5;
  const auto control =
      evaluate(linear_policy(2, 3, {0, 0, 0, -1, 0, 1}, {-1, 2}), "mountaincar", options);
  ASSERT_TRUE(control) << control.status().to_line();
  double sum = 0, squares = 0, least = 0, greatest = -1000;
  for (std::uint64_t e = 0; e < 20; ++e) {
    MountainCar car;
    UniformRandom random(5 + e);
    car.reset(random);
    double reward = 0;
    for (int step = 0; step < 200; ++step) {
      // Values are -v, 0, v; of equals the first is taken.
      const double v = car.state.velocity;
      const auto outcome = car.step(v > 0 ? 2 : 0);
      reward += outcome.reward;
      if (outcome.done) break;
    }
    sum += reward;
    squares += reward * reward;
    least = std::min(least, reward);
    greatest = std::max(greatest, reward);
  }
  const ControlRow& row = control->rows[0];
  EXPECT_GT(row.mean, -199);
  EXPECT_NEAR(row.mean, sum / 20, 1e-9);
  EXPECT_NEAR(row.deviation, std::sqrt(squares / 20 - sum * sum / 400), 1e-6);
  EXPECT_EQ(row.least, least);
  EXPECT_EQ(row.greatest, greatest);
  EXPECT_NEAR(row.mean_steps, -sum / 20, 1e-9);  // -1 a step
  EXPECT_GT(row.cost.latency_us, 0);
}

TEST_F(ControlTest, ContinuousActionsAndFixedShapes) {
  // A torque of 0: the reward is that of the free pendulum.
  const auto control =
      evaluate(linear_policy(3, 1, {0, 0, 0}, {1, 3}), "pendulum", {.episodes = 3});
  ASSERT_TRUE(control) << control.status().to_line();
  double sum = 0;
  for (std::uint64_t e = 0; e < 3; ++e) {
    Pendulum pendulum;
    UniformRandom random(e);
    pendulum.reset(random);
    for (int step = 0; step < 200; ++step) sum += pendulum.step(0).reward;
  }
  EXPECT_NEAR(control->rows[0].mean, sum / 3, 1e-9);
  EXPECT_EQ(control->rows[0].mean_steps, 200);
}

TEST_F(ControlTest, APolicyMayChooseItself) {
  // ArgMax of (theta, -theta): pushes left and right as the pole does not fall.
  NetBuilder b;
  const ValueId x = b.input("obs", DType::f32, {-1, 4});
  const ValueId q = b.node("MatMul", {x, b.floats({4, 2}, {0, 0, 0, 0, -1, 1, -0.3F, 0.3F})});
  b.output(b.node("ArgMax", {q}, {{"axis", std::int64_t{1}}}), "action", {-1, 1});
  Graph graph = b.graph();
  graph.values[static_cast<std::size_t>(graph.outputs[0])].dtype = DType::i64;
  const auto chosen = evaluate(graph, "cartpole", {.episodes = 5});
  ASSERT_TRUE(chosen) << chosen.status().to_line();
  const auto valued = evaluate(linear_policy(4, 2, {0, 0, 0, 0, -1, 1, -0.3F, 0.3F}, {-1, 4}),
                               "cartpole", {.episodes = 5});
  ASSERT_TRUE(valued);
  EXPECT_EQ(chosen->rows[0].mean, valued->rows[0].mean);
  EXPECT_GT(chosen->rows[0].mean, 50);
}

TEST_F(ControlTest, StatesLiveForOneEpisode) {
  // Pushes left at the first step of an episode and right ever after: h counts the steps.
  NetBuilder b;
  const ValueId x = b.input("obs", DType::f32, {-1, 2});
  const ValueId h = b.input("h_in", DType::f32, {-1, 1});
  const ValueId zero = b.node("MatMul", {x, b.floats({2, 3}, std::vector<float>(6))});
  const ValueId q = b.node("MatMul", {h, b.floats({1, 3}, {0, 0, 1})});
  b.output(b.node("Add", {zero, q}), "q", {-1, 3});
  b.output(b.node("Add", {h, b.floats({1, 1}, {1})}), "h_out", {-1, 1});
  const auto control = evaluate(b.graph(), "mountaincar", {.episodes = 2});
  ASSERT_TRUE(control) << control.status().to_line();
  EXPECT_EQ(control->states, "h_in <- h_out");
  EXPECT_EQ(control->rows[0].mean, -200);
}

TEST_F(ControlTest, RefusesPoliciesOfOtherWorlds) {
  const auto message = [&](const Graph& g, const std::string& environment) {
    const auto control = evaluate(g, environment);
    EXPECT_FALSE(control);
    return control.status().to_line();
  };
  const Graph car = linear_policy(2, 3, std::vector<float>(6), {-1, 2});
  EXPECT_NE(message(car, "cartpole").find("4 float32"), std::string::npos);
  EXPECT_NE(message(car, "moonlander").find("moonlander"), std::string::npos);
  EXPECT_NE(
      message(linear_policy(2, 2, std::vector<float>(4), {-1, 2}), "mountaincar").find("3 actions"),
      std::string::npos);
  EXPECT_NE(
      message(linear_policy(3, 2, std::vector<float>(6), {-1, 3}), "pendulum").find("one value"),
      std::string::npos);
  NetBuilder b;
  const ValueId x = b.input("obs", DType::f32, {-1, 2});
  b.output(
      b.node("Log", {b.node("Sub", {b.node("MatMul", {x, b.floats({2, 3}, std::vector<float>(6))}),
                                    b.floats({}, {1})})}),
      "q", {-1, 3});
  EXPECT_NE(message(b.graph(), "mountaincar").find("not finite"), std::string::npos);
}

}  // namespace
}  // namespace pbatch
