#include "tools/eval/tasks/control.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "feed/convert.h"
#include "tools/eval/environments/environment.h"
#include "tools/eval/required_inputs.h"
#include "tools/eval/stepper.h"

namespace pbatch {
namespace {

constexpr std::size_t kTimedObservations = 64;

bool is_float_action(DType type) { return type == DType::f32 || type == DType::f64; }

// The shape in which `port` takes one observation; of another size where it does not.
Shape observation_shape(const PortInfo& port, std::int64_t size) {
  if (port.shape.empty()) return {1, size};
  Shape shape = port.shape;
  for (std::int64_t& d : shape) d = d < 0 ? 1 : d;
  if (shape.back() == 1 && port.shape.back() < 0) shape.back() = size;
  return shape;
}

bool takes_observation(const PortInfo& port, std::int64_t size) {
  const auto count = checked_element_count(observation_shape(port, size), 1);
  return port.dtype == DType::f32 && count && *count == size;
}

Result<double> action_of(const Tensor& output, const Environment& environment) {
  const int actions = environment.actions();
  const bool one_number = output.size() == 1 && (actions == 0 || !is_float_action(output.dtype()));
  if (!one_number &&
      !(actions > 0 && is_float_action(output.dtype()) && output.size() == actions)) {
    const std::string wanted =
        actions == 0 ? "one value" : "a value for each of " + std::to_string(actions) + " actions";
    return Status(ErrorCode::shape_mismatch,
                  "the policy answers with " + shape_to_string(output.shape()) + " " +
                      dtype_name(output.dtype()) + " where the environment takes " + wanted,
                  "give a policy that was trained for this environment");
  }
  double action = 0, best = 0;
  for (std::int64_t i = 0; i < output.size(); ++i) {
    const double value = element_as_double(output, i);
    if (!std::isfinite(value)) {
      return Status(ErrorCode::not_finite, "the policy answers with a value that is not finite",
                    "give a policy that was trained for this environment");
    }
    if (i > 0 && value <= best) continue;
    best = value;
    action = one_number ? value : static_cast<double>(i);
  }
  if (actions > 0 && (action < 0 || action >= actions)) {
    return Status(ErrorCode::invalid_argument,
                  "the policy chooses action " + std::to_string(static_cast<std::int64_t>(action)) +
                      " of " + std::to_string(actions),
                  "give a policy that was trained for this environment");
  }
  return action;
}

struct Episode {
  double reward = 0;
  std::int64_t steps = 0;
};

// One contender in one environment.
class Player {
 public:
  Player(const Contender& contender, const StepPorts& ports, const std::string& environment)
      : stepper_(contender, ports), environment_(make_environment(environment)) {
    shape_ = observation_shape(stepper_.fed_port(), environment_->observation_size());
  }

  /// Keeps the first observations in `observations`, if that is not null.
  Result<Episode> play(std::uint64_t seed, std::vector<Tensor>* observations) {
    UniformRandom random(seed);
    environment_->reset(random);
    PBATCH_RETURN_IF_ERROR(stepper_.reset(1));
    Episode episode;
    while (episode.steps < environment_->step_limit()) {
      PBATCH_ASSIGN_OR_RETURN(Tensor observation, Tensor::create(DType::f32, shape_));
      environment_->observe(
          {observation.mutable_data<float>(), static_cast<std::size_t>(observation.size())});
      if (observations != nullptr && observations->size() < kTimedObservations) {
        observations->push_back(observation);
      }
      PBATCH_ASSIGN_OR_RETURN(const Tensor output, stepper_.run(std::move(observation)));
      PBATCH_ASSIGN_OR_RETURN(const double action, action_of(output, *environment_));
      const Environment::Outcome outcome = environment_->step(action);
      episode.reward += outcome.reward;
      ++episode.steps;
      if (outcome.done) break;
    }
    return episode;
  }

 private:
  Stepper stepper_;
  std::unique_ptr<Environment> environment_;
  Shape shape_;
};

ControlRow summary(const std::vector<Episode>& episodes) {
  const auto n = static_cast<double>(episodes.size());
  ControlRow row;
  row.least = row.greatest = episodes[0].reward;
  for (const Episode& e : episodes) {
    row.mean += e.reward / n;
    row.mean_steps += static_cast<double>(e.steps) / n;
    row.least = std::min(row.least, e.reward);
    row.greatest = std::max(row.greatest, e.reward);
  }
  double squares = 0;
  for (const Episode& e : episodes) squares += (e.reward - row.mean) * (e.reward - row.mean);
  row.deviation = std::sqrt(squares / n);
  return row;
}

Result<std::vector<Cost>> decision_costs(std::span<const Contender> contenders,
                                         const StepPorts& ports,
                                         const std::vector<Tensor>& observations,
                                         const TimingOptions& timing, Progress& progress) {
  std::vector<Stepper> steppers;
  for (const Contender& c : contenders) {
    PBATCH_RETURN_IF_ERROR(steppers.emplace_back(c, ports).reset(1));
  }
  return measure_steps(contenders, steppers, observations, 1, timing, progress);
}

}  // namespace

Result<Control> evaluate_control(std::span<const Contender> contenders,
                                 const std::string& environment, const ControlOptions& options,
                                 Progress& progress) {
  const auto world = make_environment(environment);
  if (world == nullptr || options.episodes < 1) {
    return Status(
        ErrorCode::invalid_argument,
        world == nullptr ? "there is no environment '" + environment + "'"
                         : "no episode is to be played",
        "choose among cartpole, mountaincar, acrobot and pendulum, and one episode or more");
  }
  const Session& session = *contenders[0].session;
  const std::int64_t size = world->observation_size();
  const FedInput fed{"observation", [&](const PortInfo& p) { return takes_observation(p, size); }};
  PBATCH_ASSIGN_OR_RETURN(const StepPorts ports, find_step_ports(contenders, fed, options.ports));
  const PortInfo& port = session.inputs()[ports.input];
  if (!takes_observation(port, size)) {
    return Status(ErrorCode::shape_mismatch,
                  "an observation of '" + environment + "' is " + std::to_string(size) +
                      " float32 and the input is " + describe_ports({port}),
                  "give a policy that was trained for this environment");
  }

  Control result;
  result.episodes = options.episodes;
  result.states = describe_states(required_inputs(session), session.outputs(), ports);
  std::vector<Tensor> observations;
  progress.begin("return", options.episodes * static_cast<std::int64_t>(contenders.size()));
  for (const Contender& c : contenders) {
    Player player(c, ports, environment);
    std::vector<Episode> episodes;
    for (std::int64_t e = 0; e < options.episodes; ++e) {
      const std::uint64_t seed = options.seed + static_cast<std::uint64_t>(e);
      PBATCH_ASSIGN_OR_RETURN(const Episode episode,
                              player.play(seed, &c == &contenders[0] ? &observations : nullptr));
      episodes.push_back(episode);
      progress.step();
    }
    result.rows.push_back(summary(episodes));
  }
  PBATCH_ASSIGN_OR_RETURN(
      const std::vector<Cost> costs,
      decision_costs(contenders, ports, observations, options.timing, progress));
  for (std::size_t i = 0; i < costs.size(); ++i) result.rows[i].cost = costs[i];
  return result;
}

}  // namespace pbatch
