#include "calibrate/sample_inputs.h"

#include <algorithm>
#include <string>
#include <utility>

#include "calibrate/language_model.h"
#include "feed/convert.h"
#include "feed/feed.h"
#include "feed/item_fit.h"
#include "feed/step_ports.h"

namespace pbatch {
namespace {

constexpr std::int64_t kMostItems = 4096;    // of an array, the first ones
constexpr std::int64_t kItemsTogether = 16;  // items of a run
constexpr std::int64_t kMostStreams = 64;
constexpr double kMostWork = 2e11;  // multiply-adds

struct Range {
  std::int64_t begin = 0, end = 0;
};

Range range_of(SamplePart part, std::int64_t count) {
  const std::int64_t middle = count < 4 ? count : count - count / 4;
  if (count < 4) return {0, count};  // too few to judge by others
  return part == SamplePart::fit ? Range{0, middle} : Range{middle, count};
}

Status feed_tokens(TokenStepper& stepper, const Tensor& data, SamplePart part,
                   MomentCollector& collector) {
  const std::int64_t rows = data.rank() > 1 ? data.dim(0) : 1, steps = data.size() / rows;
  const std::int64_t streams = stepper.streams();
  // Streams of equal length: the rows, or stretches of the only one.
  const std::int64_t cut = std::max<std::int64_t>(1, streams / rows), length = steps / cut;
  const Range range = range_of(part, length);
  std::vector<std::int64_t> tokens(static_cast<std::size_t>(streams));
  const std::int64_t there = std::min(streams, rows * cut);
  for (std::int64_t t = range.begin;
       t < range.end && collector.work() < collector.most_work(kMostWork); ++t) {
    for (std::int64_t s = 0; s < streams; ++s) {
      const std::int64_t stream = s % there;
      const std::int64_t at = stream / cut * steps + stream % cut * length + t;
      const std::int64_t token = static_cast<std::int64_t>(element_as_double(data, at));
      if (token < 0 || token >= stepper.vocabulary()) {
        return {ErrorCode::invalid_argument,
                "a sample holds token " + std::to_string(token) + ", and there are " +
                    std::to_string(stepper.vocabulary()),
                "give tokens of this network's vocabulary"};
      }
      tokens[static_cast<std::size_t>(s)] = token;
    }
    PBATCH_RETURN_IF_ERROR(stepper.step(tokens).status());
  }
  return Status::ok();
}

// Sets the data of an input, in the type that it takes.
Result<Tensor> converted(const Sample& sample, const PortInfo& port) {
  if (sample.pixels && port.dtype == DType::f32) return scaled_to_float(sample.data, 255.0F);
  return convert_tensor(sample.data, port.dtype);
}

const Sample* find_sample(const std::vector<Sample>& samples, const PortInfo& port, bool only) {
  for (const Sample& sample : samples) {
    if (sample.input == port.name || (only && sample.input.empty())) return &sample;
  }
  return nullptr;
}

// A stream of items, one a run, whose states go from run to run. Inputs that are neither are the
// same in all runs.
Status feed_stream(NetworkRunner& runner, const StepPorts& ports,
                   const std::vector<Sample>& samples, SamplePart part,
                   MomentCollector& collector) {
  const std::vector<PortInfo>& inputs = runner.inputs();
  const PortInfo& port = inputs[ports.input];
  const Sample* const sample = find_sample(samples, port, true);
  if (sample == nullptr || sample->data.rank() == 0) {
    return {ErrorCode::invalid_argument, "there is no sample for input '" + port.name + "'",
            "give --samples " + port.name + "=FILE"};
  }
  PBATCH_ASSIGN_OR_RETURN(const Tensor data, converted(*sample, port));
  const Shape& shape = data.shape();
  PBATCH_ASSIGN_OR_RETURN(const ItemFit fit,
                          fit_items(Shape(shape.begin() + 1, shape.end()), port));
  std::vector<NamedTensor> fed(1);
  std::vector<Tensor> states;
  for (const StatePair& pair : ports.states) {
    Shape of = inputs[pair.input].shape;
    for (std::int64_t& d : of) d = d < 0 ? 1 : d;
    PBATCH_ASSIGN_OR_RETURN(Tensor zeros, Tensor::create(inputs[pair.input].dtype, of));
    std::fill_n(static_cast<char*>(zeros.mutable_raw()), zeros.bytes(), '\0');
    fed.push_back({inputs[pair.input].name, std::move(zeros)});
  }
  for (const std::size_t i : ports.constant) {
    const Sample* const constant = find_sample(samples, inputs[i], false);
    if (constant == nullptr) {
      return {ErrorCode::invalid_argument, "there is no sample for input '" + inputs[i].name + "'",
              "give --samples " + inputs[i].name + "=FILE, the value of all runs"};
    }
    PBATCH_ASSIGN_OR_RETURN(Tensor value, converted(*constant, inputs[i]));
    fed.push_back({inputs[i].name, std::move(value)});
  }
  const Range range = range_of(part, shape[0]);
  for (std::int64_t i = range.begin;
       i < range.end && collector.work() < collector.most_work(kMostWork); ++i) {
    PBATCH_ASSIGN_OR_RETURN(Tensor item, take_items(data, i, 1, 1, fit));
    fed[0] = {port.name, std::move(item)};
    PBATCH_ASSIGN_OR_RETURN(const std::vector<Tensor> outputs, runner.run(fed));
    for (std::size_t s = 0; s < ports.states.size(); ++s) {
      fed[1 + s].tensor = outputs[ports.states[s].output];
    }
  }
  return Status::ok();
}

Status feed_items(NetworkRunner& runner, const std::vector<Sample>& samples, SamplePart part,
                  MomentCollector& collector) {
  std::vector<InputData> data;
  for (const Sample& sample : samples)
    data.push_back({sample.input, sample.data, sample.pixels, {}});
  PBATCH_ASSIGN_OR_RETURN(const Feed feed, Feed::create(runner.inputs(), data));
  const Range range = range_of(part, std::min(kMostItems, feed.items()));
  const std::int64_t together = feed.batch() > 0 ? feed.batch() : kItemsTogether;
  for (std::int64_t first = range.begin; first < range.end; first += together) {
    if (collector.work() > collector.most_work(kMostWork)) break;
    const std::int64_t count = std::min(together, range.end - first);
    const std::int64_t n = feed.batch() > 0 ? feed.batch() : count;
    PBATCH_ASSIGN_OR_RETURN(const std::vector<NamedTensor> inputs, feed.inputs(first, count, n));
    PBATCH_RETURN_IF_ERROR(runner.run(inputs).status());
  }
  return Status::ok();
}

}  // namespace

Status feed_samples(NetworkRunner& runner, const NetworkKind& kind,
                    const std::vector<Sample>& samples, SamplePart part,
                    MomentCollector& collector) {
  runner.watch(nullptr);
  Result<TokenStepper> stepper = TokenStepper::create(runner, kind, kMostStreams);
  runner.watch(&collector);
  if (stepper && samples.size() == 1)
    return feed_tokens(*stepper, samples[0].data, part, collector);
  const FedInput given{"sample", [&](const PortInfo& port) {
                         return find_sample(samples, port, false) != nullptr &&
                                port.dtype == DType::f32;
                       }};
  const auto ports =
      find_step_ports(runner.inputs(), runner.outputs(), given, {}, /*constants=*/true);
  if (ports && !ports->states.empty()) {
    return feed_stream(runner, *ports, samples, part, collector);
  }
  return feed_items(runner, samples, part, collector);
}

}  // namespace pbatch
