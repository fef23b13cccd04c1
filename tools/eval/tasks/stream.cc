#include "tools/eval/tasks/stream.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>

#include "feed/convert.h"
#include "feed/item_fit.h"
#include "tools/eval/required_inputs.h"
#include "tools/eval/stepper.h"

namespace pbatch {
namespace {

constexpr std::size_t kTimedSteps = 64;

// `tensor` as input `port` takes it.
Result<Tensor> as_input(const Tensor& tensor, const PortInfo& port) {
  auto converted = convert_tensor(tensor, port.dtype);
  if (converted) return converted;
  return Status(converted.status().code(),
                "input '" + port.name + "': " + converted.status().message(),
                converted.status().remedy());
}

struct ConstantInput {
  std::size_t input = 0;
  Tensor value;
};

// Of one step.
Shape item_shape(const Tensor& data) {
  const Shape& shape = data.shape();
  return shape.empty() ? Shape{} : Shape(shape.begin() + 1, shape.end());
}

// The shape in which `port` takes a step: as the data have it where that agrees, or as an item of
// a batch of 1.
Result<Shape> step_shape(const Tensor& data, const PortInfo& port) {
  const Shape item = item_shape(data);
  const bool agrees = std::equal(
      item.begin(), item.end(), port.shape.begin(), port.shape.end(),
      [](std::int64_t given, std::int64_t taken) { return taken < 0 || given == taken; });
  if (agrees) return item;
  PBATCH_ASSIGN_OR_RETURN(const ItemFit fit, fit_items(item, port));
  if (fit.batch > 1) {
    return Status(ErrorCode::unsupported,
                  "input '" + port.name + "' takes " + std::to_string(fit.batch) +
                      " items at a time and a stream is one",
                  "export the network with a batch of 1, or a free one");
  }
  return fit.input_shape(1);
}

// A shape without dimensions may be one that is not declared.
bool takes_step(const PortInfo& port, const Tensor& data) {
  return !port.shape.empty() && step_shape(data, port).is_ok();
}

// `input`: the name of the fed input, or empty.
Status check_steps(const Tensor& data, const std::vector<PortInfo>& inputs,
                   const std::string& input) {
  if (data.shape().empty() || data.shape()[0] == 0) {
    return {ErrorCode::shape_mismatch, "the data hold no steps",
            "give an array whose first dimension counts the steps"};
  }
  const bool fits = std::any_of(inputs.begin(), inputs.end(), [&](const PortInfo& port) {
    return port.shape.empty() || takes_step(port, data);
  });
  if (fits || !input.empty()) return Status::ok();
  return {ErrorCode::shape_mismatch,
          "a step of the data has shape " + shape_to_string(item_shape(data)) +
              " and fits none of the inputs " + describe_ports(inputs),
          "give an array whose first dimension counts the steps"};
}

// One value for each input that neither is fed nor follows from an output.
Result<std::vector<ConstantInput>> constant_inputs(const std::vector<PortInfo>& inputs,
                                                   const StepPorts& ports,
                                                   const std::vector<NamedTensor>& given) {
  std::vector<ConstantInput> constants;
  for (const NamedTensor& constant : given) {
    PBATCH_ASSIGN_OR_RETURN(const std::size_t input,
                            find_named_port(inputs, constant.name, "input"));
    if (std::find(ports.constant.begin(), ports.constant.end(), input) == ports.constant.end()) {
      return Status(ErrorCode::invalid_argument,
                    "input '" + constant.name + "' is fed at every step and cannot be constant",
                    "leave its --constant out, or name states and the fed input by --state and "
                    "--input");
    }
    PBATCH_ASSIGN_OR_RETURN(Tensor value, as_input(constant.tensor, inputs[input]));
    constants.push_back({input, std::move(value)});
  }
  for (const std::size_t input : ports.constant) {
    const auto given_once = std::count_if(constants.begin(), constants.end(),
                                          [&](const auto& c) { return c.input == input; });
    if (given_once == 1) continue;
    return Status(ErrorCode::invalid_argument,
                  "input '" + inputs[input].name + "' is " +
                      (given_once == 0 ? "neither fed nor a state" : "given twice"),
                  "give --constant " + inputs[input].name + "=FILE once, or --state " +
                      inputs[input].name + "=OUTPUT");
  }
  return constants;
}

Status start(Stepper& stepper, const std::vector<ConstantInput>& constants) {
  for (const ConstantInput& constant : constants) stepper.set(constant.input, constant.value);
  return stepper.reset(1);
}

Result<std::vector<Tensor>> run_steps(Stepper& stepper, const std::vector<Tensor>& steps,
                                      Progress& progress) {
  std::vector<Tensor> outputs;
  for (const Tensor& step : steps) {
    PBATCH_ASSIGN_OR_RETURN(Tensor output, stepper.run(step));
    outputs.push_back(std::move(output));
    progress.step();
  }
  return outputs;
}

Result<std::vector<Tensor>> split_steps(const Tensor& data, const PortInfo& port,
                                        std::int64_t limit) {
  PBATCH_ASSIGN_OR_RETURN(const Tensor converted, as_input(data, port));
  PBATCH_ASSIGN_OR_RETURN(const Shape shape, step_shape(data, port));
  const std::int64_t count = limit > 0 ? std::min(limit, data.shape()[0]) : data.shape()[0];
  std::vector<Tensor> steps;
  for (std::int64_t t = 0; t < count; ++t) {
    PBATCH_ASSIGN_OR_RETURN(Tensor step, Tensor::create(port.dtype, shape));
    std::memcpy(
        step.mutable_raw(),
        static_cast<const std::byte*>(converted.raw()) + static_cast<std::size_t>(t) * step.bytes(),
        step.bytes());
    steps.push_back(std::move(step));
  }
  return steps;
}

Result<std::vector<Cost>> step_costs(std::span<const Contender> contenders, const StepPorts& ports,
                                     const std::vector<ConstantInput>& constants,
                                     const std::vector<Tensor>& steps, const TimingOptions& timing,
                                     Progress& progress) {
  std::vector<Stepper> steppers;
  for (const Contender& c : contenders) {
    PBATCH_RETURN_IF_ERROR(start(steppers.emplace_back(c, ports), constants));
  }
  const std::span<const Tensor> timed(steps.data(), std::min(steps.size(), kTimedSteps));
  return measure_steps(contenders, steppers, timed, 1, timing, progress);
}

}  // namespace

Result<Stream> evaluate_stream(std::span<const Contender> contenders, const Tensor& data,
                               const std::vector<NamedTensor>& constants,
                               const StreamOptions& options, Progress& progress) {
  const Session& session = *contenders[0].session;
  PBATCH_RETURN_IF_ERROR(check_steps(data, required_inputs(session), options.ports.input));
  const FedInput fed{"stream", [&](const PortInfo& p) { return takes_step(p, data); }};
  PBATCH_ASSIGN_OR_RETURN(const StepPorts ports,
                          find_step_ports(contenders, fed, options.ports, true));
  PBATCH_ASSIGN_OR_RETURN(const std::vector<ConstantInput> fixed,
                          constant_inputs(required_inputs(session), ports, constants));
  PBATCH_ASSIGN_OR_RETURN(const std::vector<Tensor> steps,
                          split_steps(data, session.inputs()[ports.input], options.limit));
  Stream stream;
  stream.steps = static_cast<std::int64_t>(steps.size());
  stream.input = session.inputs()[ports.input].name;
  stream.output = session.outputs()[ports.output].name;
  stream.states = describe_states(required_inputs(session), session.outputs(), ports);

  progress.begin("steps", stream.steps * static_cast<std::int64_t>(contenders.size()));
  std::vector<Tensor> reference;
  for (const Contender& c : contenders) {
    Stepper stepper(c, ports);
    PBATCH_RETURN_IF_ERROR(start(stepper, fixed));
    PBATCH_ASSIGN_OR_RETURN(std::vector<Tensor> outputs, run_steps(stepper, steps, progress));
    if (&c == &contenders[0]) reference = outputs;
    StreamRow row;
    PBATCH_ASSIGN_OR_RETURN(row.error, output_error(outputs, reference));
    stream.rows.push_back(row);
  }
  PBATCH_ASSIGN_OR_RETURN(const std::vector<Cost> costs,
                          step_costs(contenders, ports, fixed, steps, options.timing, progress));
  for (std::size_t i = 0; i < costs.size(); ++i) stream.rows[i].cost = costs[i];
  return stream;
}

}  // namespace pbatch
