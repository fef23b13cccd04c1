#include "tools/eval/tasks/lm_net.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "feed/convert.h"

namespace pbatch {
namespace {

// Both larger than 1 and not equal, so that shapes tell them apart.
constexpr std::int64_t kTriedBatch = 2, kTriedSteps = 3;

struct Trial {
  TokenLayout layout;
  std::int64_t batch = 0, steps = 0;
  bool time_first = false;
  Tensor output;
};

Status not_an_answer(const Tensor& output, const PortInfo& port, std::int64_t batch,
                     std::int64_t steps) {
  return {ErrorCode::shape_mismatch,
          "output '" + port.name + "' of shape " + shape_to_string(output.shape()) + " " +
              dtype_name(output.dtype()) + " holds no row of logits for each of " +
              std::to_string(batch) + " x " + std::to_string(steps) + " tokens",
          "name the output of logits with --output"};
}

// Whether the output's rows are in the order [time, batch]; an error if they are not batch * steps.
Result<bool> find_row_order(const Trial& trial, const PortInfo& port) {
  const Tensor& output = trial.output;
  Shape rows;
  if (output.rank() > 0) {
    for (std::size_t i = 0; i + 1 < output.rank(); ++i) {
      if (output.dim(i) != 1) rows.push_back(output.dim(i));
    }
  }
  std::int64_t count = 1;
  for (const std::int64_t d : rows) count *= d;
  const bool is_float = output.dtype() == DType::f32 || output.dtype() == DType::f64;
  if (output.rank() == 0 || output.size() == 0 || !is_float || count != trial.batch * trial.steps) {
    return not_an_answer(output, port, trial.batch, trial.steps);
  }
  if (trial.batch != trial.steps && rows == Shape{trial.batch, trial.steps}) return false;
  if (trial.batch != trial.steps && rows == Shape{trial.steps, trial.batch}) return true;
  return trial.layout.axes == TokenAxes::time_batch;
}

// Runs tokens[b * steps + t] from zero states.
Result<Trial> try_layout(const Contender& c, const StepPorts& ports, const TokenLayout& layout,
                         std::span<const std::int64_t> tokens) {
  Trial trial{layout,
              layout.batch > 0 ? layout.batch : kTriedBatch,
              layout.steps > 0 ? layout.steps : kTriedSteps,
              false,
              {}};
  std::vector<std::int64_t> fed;
  for (std::int64_t i = 0; i < trial.batch * trial.steps; ++i) {
    fed.push_back(tokens[static_cast<std::size_t>(i) % tokens.size()]);
  }
  Stepper stepper(c, ports);
  PBATCH_RETURN_IF_ERROR(stepper.reset(trial.batch));
  const std::vector<Tensor> before = stepper.states();
  PBATCH_ASSIGN_OR_RETURN(Tensor input,
                          layout.input(stepper.fed_port(), fed, trial.batch, trial.steps));
  PBATCH_ASSIGN_OR_RETURN(trial.output, stepper.run(std::move(input)));
  const std::vector<Tensor> after = stepper.states();
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (before[i].shape() == after[i].shape()) continue;
    const Session& session = *c.session;
    return Status(ErrorCode::shape_mismatch,
                  "state '" + session.inputs()[ports.states[i].input].name + "' goes in as " +
                      shape_to_string(before[i].shape()) + " and comes out of '" +
                      session.outputs()[ports.states[i].output].name + "' as " +
                      shape_to_string(after[i].shape()),
                  "pair inputs and outputs with --state");
  }
  PBATCH_ASSIGN_OR_RETURN(trial.time_first,
                          find_row_order(trial, c.session->outputs()[ports.output]));
  return trial;
}

// Whether both give every token the same answer.
bool same_answers(const Trial& x, const Trial& y) {
  const std::int64_t classes = x.output.dim(x.output.rank() - 1);
  if (x.output.size() != y.output.size() || x.batch != y.batch) return false;
  double worst = 0, scale = 0;
  for (std::int64_t b = 0; b < x.batch; ++b) {
    for (std::int64_t t = 0; t < x.steps; ++t) {
      const auto row = [&](const Trial& trial) {
        return trial.time_first ? t * trial.batch + b : b * trial.steps + t;
      };
      for (std::int64_t i = 0; i < classes; ++i) {
        const double v = element_as_double(x.output, row(x) * classes + i);
        worst = std::max(worst, std::fabs(v - element_as_double(y.output, row(y) * classes + i)));
        scale = std::max(scale, std::fabs(v));
      }
    }
  }
  return worst <= 1e-4 * scale + 1e-6;
}

bool sums_to_one(const Tensor& output) {
  const std::int64_t classes = output.dim(output.rank() - 1);
  for (std::int64_t at = 0; at < output.size(); at += classes) {
    double sum = 0;
    for (std::int64_t i = at; i < at + classes; ++i) {
      const double v = element_as_double(output, i);
      if (!(v >= 0)) return false;
      sum += v;
    }
    if (!(std::fabs(sum - 1) < 1e-3)) return false;
  }
  return true;
}

Status check_tokens(const TokenStreams& data, std::int64_t vocabulary) {
  for (std::int64_t s = 0; s < data.streams; ++s) {
    for (std::int64_t p = 0; p < data.length; ++p) {
      const std::int64_t token = data.at(s, p);
      if (token >= 0 && token < vocabulary) continue;
      return {ErrorCode::invalid_argument,
              "token " + std::to_string(token) + " at position " + std::to_string(p) +
                  " of stream " + std::to_string(s) + " is not one of the network's " +
                  std::to_string(vocabulary),
              "give the tokens that belong to this network, counted from 0"};
    }
  }
  return Status::ok();
}

Result<Trial> choose_trial(const Contender& c, const StepPorts& ports, FirstAxis first,
                           const TokenStreams& data) {
  const PortInfo& port = c.session->inputs()[ports.input];
  PBATCH_ASSIGN_OR_RETURN(const std::vector<TokenLayout> layouts, token_layouts(port, first));
  // Token 0 always exists; the data's tokens only if they belong to this network.
  const std::int64_t zero[] = {0};
  std::vector<Trial> good;
  Status failure;
  for (const TokenLayout& layout : layouts) {
    auto trial = try_layout(c, ports, layout, zero);
    if (trial) good.push_back(std::move(trial).value());
    if (!trial && failure.is_ok()) failure = trial.status();
  }
  if (good.empty()) return failure;
  const Tensor& output = good[0].output;
  PBATCH_RETURN_IF_ERROR(check_tokens(data, output.dim(output.rank() - 1)));
  std::vector<Trial> trials;
  for (const Trial& g : good) {
    PBATCH_ASSIGN_OR_RETURN(Trial trial, try_layout(c, ports, g.layout, data.tokens));
    trials.push_back(std::move(trial));
  }
  const bool all_free =
      port.shape.empty() || (port.shape.size() == 2 && port.shape[0] < 0 && port.shape[1] < 0);
  if (trials.size() == 2 && all_free && !same_answers(trials[0], trials[1])) {
    return Status(ErrorCode::invalid_argument,
                  "input '" + port.name + "' may be [batch, time] or [time, batch]",
                  "say which with --layout");
  }
  return std::move(trials[0]);
}

}  // namespace

Result<LmNet> find_lm_net(std::span<const Contender> contenders, const StepPortOptions& options,
                          FirstAxis first, const TokenStreams& data) {
  LmNet net;
  PBATCH_ASSIGN_OR_RETURN(net.ports,
                          find_step_ports(contenders, {"tokens", holds_tokens}, options));
  PBATCH_ASSIGN_OR_RETURN(const Trial trial, choose_trial(contenders[0], net.ports, first, data));
  net.layout = trial.layout;
  net.answers_time_first = trial.time_first;
  net.vocabulary = trial.output.dim(trial.output.rank() - 1);
  net.gives_probabilities = sums_to_one(trial.output);
  return net;
}

}  // namespace pbatch
