#include "tools/eval/stepper.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "tools/eval/required_inputs.h"

namespace pbatch {
namespace {

bool same_names(const std::vector<PortInfo>& a, const std::vector<PortInfo>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const PortInfo& x, const PortInfo& y) { return x.name == y.name; });
}

}  // namespace

Status check_same_ports(std::span<const Contender> contenders) {
  const Session& first = *contenders[0].session;
  for (const Contender& c : contenders) {
    if (same_names(required_inputs(first), required_inputs(*c.session)) &&
        same_names(first.outputs(), c.session->outputs())) {
      continue;
    }
    return {ErrorCode::invalid_argument,
            "the float network has other inputs or outputs: " +
                describe_ports(required_inputs(first)) + " and " + describe_ports(first.outputs()),
            "give --float the network that the model was made from"};
  }
  return Status::ok();
}

Result<Tensor> zero_state(const PortInfo& port, std::int64_t batch) {
  Shape shape = port.shape;
  if (std::count_if(shape.begin(), shape.end(), [](std::int64_t d) { return d < 0; }) > 1) {
    return Status(
        ErrorCode::unsupported,
        "state '" + port.name + "' leaves more than one dimension free, so its size is unknown",
        "export the network with only the batch free");
  }
  for (std::int64_t& d : shape) d = d < 0 ? batch : d;
  PBATCH_ASSIGN_OR_RETURN(Tensor zeros, Tensor::create(port.dtype, shape));
  std::memset(zeros.mutable_raw(), 0, zeros.bytes());
  return zeros;
}

Result<StepPorts> find_step_ports(std::span<const Contender> contenders, const FedInput& fed,
                                  const StepPortOptions& options, bool constants) {
  PBATCH_RETURN_IF_ERROR(check_same_ports(contenders));
  const Session& first = *contenders[0].session;
  return find_step_ports(required_inputs(first), first.outputs(), fed, options, constants);
}

Stepper::Stepper(const Contender& contender, const StepPorts& ports)
    : contender_(&contender), ports_(&ports) {
  for (const PortInfo& port : required_inputs(*contender.session))
    inputs_.push_back({port.name, {}});
}

Status Stepper::reset(std::int64_t batch) {
  for (const StatePair& pair : ports_->states) {
    PBATCH_ASSIGN_OR_RETURN(inputs_[pair.input].tensor,
                            zero_state(contender_->session->inputs()[pair.input], batch));
  }
  return Status::ok();
}

void Stepper::set(std::size_t input, Tensor value) { inputs_[input].tensor = std::move(value); }

Result<Tensor> Stepper::run(Tensor fed) {
  inputs_[ports_->input].tensor = std::move(fed);
  PBATCH_ASSIGN_OR_RETURN(std::vector<Tensor> outputs,
                          contender_->session->run(inputs_, contender_->precision));
  for (const StatePair& pair : ports_->states) inputs_[pair.input].tensor = outputs[pair.output];
  return std::move(outputs[ports_->output]);
}

std::vector<Tensor> Stepper::states() const {
  std::vector<Tensor> states;
  for (const StatePair& pair : ports_->states) states.push_back(inputs_[pair.input].tensor);
  return states;
}

Result<std::vector<Cost>> measure_steps(std::span<const Contender> contenders,
                                        std::span<Stepper> steppers, std::span<const Tensor> fed,
                                        double items_per_step, const TimingOptions& timing,
                                        Progress& progress) {
  std::vector<TimedCall> calls;
  for (Stepper& stepper : steppers) {
    calls.emplace_back([&stepper, fed](std::int64_t i) {
      return stepper.run(fed[static_cast<std::size_t>(i) % fed.size()]).status();
    });
  }
  return measure_costs(contenders, calls, items_per_step, timing, progress);
}

}  // namespace pbatch
