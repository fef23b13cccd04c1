#include "tools/eval/tasks/lm.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "feed/convert.h"
#include "tools/eval/stepper.h"
#include "tools/eval/tasks/lm_net.h"

namespace pbatch {
namespace {

constexpr std::int64_t kDefaultSteps = 64;
constexpr std::int64_t kTimedTokens = 256;  // that timing goes through

// The negative logarithm of the probability of `target`.
double surprise(const Tensor& output, std::int64_t row, std::int64_t classes, std::int64_t target,
                bool probabilities) {
  const std::int64_t at = row * classes;
  if (probabilities) return -std::log(element_as_double(output, at + target));
  if (output.dtype() != DType::f32) {
    double greatest = -INFINITY, sum = 0;
    for (std::int64_t i = 0; i < classes; ++i) {
      greatest = std::max(greatest, element_as_double(output, at + i));
    }
    for (std::int64_t i = 0; i < classes; ++i) {
      sum += std::exp(element_as_double(output, at + i) - greatest);
    }
    return greatest + std::log(sum) - element_as_double(output, at + target);
  }
  const float* logits = output.data<float>() + at;
  const float greatest = *std::max_element(logits, logits + classes);
  double sum = 0;
  for (std::int64_t i = 0; i < classes; ++i) sum += std::exp(logits[i] - greatest);
  return static_cast<double>(greatest) + std::log(sum) - static_cast<double>(logits[target]);
}

// Streams first .. first + batch - 1 of the data, run by run.
class StreamReader {
 public:
  StreamReader(const LmNet& net, const TokenStreams& data, std::int64_t batch, std::int64_t steps)
      : net_(net), data_(data), batch_(batch), steps_(steps) {}

  /// Where streams or tokens run out the last one stands in; its answer is not counted.
  Result<Tensor> input(const PortInfo& port, std::int64_t first, std::int64_t position,
                       std::int64_t steps) const {
    std::vector<std::int64_t> tokens;
    for (std::int64_t b = 0; b < batch_; ++b) {
      for (std::int64_t t = 0; t < steps; ++t) {
        tokens.push_back(data_.at(std::min(first + b, data_.streams - 1),
                                  std::min(position + t, data_.length - 1)));
      }
    }
    return net_.layout.input(port, tokens, batch_, steps);
  }

  /// The sum of surprises over all tokens from position `warmup` on, at least 1.
  Result<double> read_all(const Contender& c, std::int64_t warmup, Progress& progress) const {
    double sum = 0;
    Stepper stepper(c, net_.ports);
    for (std::int64_t first = 0; first < data_.streams; first += batch_) {
      PBATCH_RETURN_IF_ERROR(stepper.reset(batch_));
      const std::int64_t streams = std::min(batch_, data_.streams - first);
      for (std::int64_t at = 0; at < data_.length - 1; at += steps_) {
        const std::int64_t left = std::min(steps_, data_.length - 1 - at);
        const std::int64_t run = net_.layout.steps > 0 ? steps_ : left;
        PBATCH_ASSIGN_OR_RETURN(Tensor tokens, input(stepper.fed_port(), first, at, run));
        PBATCH_ASSIGN_OR_RETURN(const Tensor output, stepper.run(std::move(tokens)));
        if (output.size() != batch_ * run * net_.vocabulary) {
          return Status(ErrorCode::shape_mismatch,
                        "the output of shape " + shape_to_string(output.shape()) +
                            " holds no row for each of " + std::to_string(batch_) + " x " +
                            std::to_string(run) + " tokens",
                        "try other --streams and --steps");
        }
        for (std::int64_t b = 0; b < streams; ++b) {
          for (std::int64_t t = std::max<std::int64_t>(warmup - at - 1, 0); t < left; ++t) {
            sum += surprise(output, net_.row(b, t, batch_, run), net_.vocabulary,
                            data_.at(first + b, at + t + 1), net_.gives_probabilities);
          }
        }
        progress.step(streams * left);
      }
    }
    return sum;
  }

 private:
  const LmNet& net_;
  const TokenStreams& data_;
  std::int64_t batch_, steps_;
};

Result<std::vector<Cost>> token_costs(std::span<const Contender> contenders, const LmNet& net,
                                      const TokenStreams& data, const TimingOptions& timing,
                                      Progress& progress) {
  const std::int64_t batch = net.layout.batch > 0 ? net.layout.batch : 1;
  const std::int64_t steps = net.layout.steps > 0 ? net.layout.steps : 1;
  const StreamReader reader(net, data, batch, steps);
  const PortInfo& port = contenders[0].session->inputs()[net.ports.input];
  std::vector<Tensor> inputs;
  for (std::int64_t at = 0; at < std::min(kTimedTokens, data.length); at += steps) {
    PBATCH_ASSIGN_OR_RETURN(Tensor input, reader.input(port, 0, at, steps));
    inputs.push_back(std::move(input));
  }
  std::vector<Stepper> steppers;
  for (const Contender& c : contenders) {
    PBATCH_RETURN_IF_ERROR(steppers.emplace_back(c, net.ports).reset(batch));
  }
  return measure_steps(contenders, steppers, inputs, static_cast<double>(batch * steps), timing,
                       progress);
}

}  // namespace

Result<LanguageModel> evaluate_lm(std::span<const Contender> contenders, const TokenStreams& data,
                                  const LmOptions& options, Progress& progress) {
  PBATCH_ASSIGN_OR_RETURN(const LmNet net,
                          find_lm_net(contenders, options.ports, options.first_axis, data));
  if (net.layout.steps > 0 && options.steps > 0 && options.steps != net.layout.steps) {
    return Status(ErrorCode::invalid_argument,
                  "the network fixes its steps at " + std::to_string(net.layout.steps),
                  "leave --steps out");
  }
  const std::int64_t warmup = std::max<std::int64_t>(options.warmup, 1);
  if (warmup >= data.length) {
    return Status(ErrorCode::invalid_argument,
                  "a stream has " + std::to_string(data.length) +
                      " tokens, so that none is left to predict after " + std::to_string(warmup),
                  "give a smaller --warmup");
  }
  const Session& session = *contenders[0].session;
  LanguageModel result;
  result.vocabulary = net.vocabulary;
  result.streams = data.streams;
  result.batch = net.layout.batch > 0 ? net.layout.batch : data.streams;
  result.steps =
      net.layout.steps > 0 ? net.layout.steps : (options.steps > 0 ? options.steps : kDefaultSteps);
  result.steps = std::min(result.steps, std::max(net.layout.steps, data.length - 1));
  result.tokens = data.streams * (data.length - warmup);
  result.layout = token_axes_name(net.layout.axes);
  result.states = describe_states(session.inputs(), session.outputs(), net.ports);
  result.probabilities = net.gives_probabilities;

  const StreamReader reader(net, data, result.batch, result.steps);
  const std::int64_t read = data.streams * (data.length - 1);
  progress.begin("perplexity", read * static_cast<std::int64_t>(contenders.size()));
  for (const Contender& c : contenders) {
    PBATCH_ASSIGN_OR_RETURN(const double sum, reader.read_all(c, warmup, progress));
    const double mean = sum / static_cast<double>(result.tokens);
    result.rows.push_back({std::exp(mean), mean / std::log(2.0), {}});
  }
  PBATCH_ASSIGN_OR_RETURN(const std::vector<Cost> costs,
                          token_costs(contenders, net, data, options.timing, progress));
  for (std::size_t i = 0; i < costs.size(); ++i) result.rows[i].cost = costs[i];
  return result;
}

}  // namespace pbatch
