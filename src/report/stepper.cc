#include "report/stepper.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace pbatch {
namespace {

bool same_names(const std::vector<PortInfo>& a, const std::vector<PortInfo>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const PortInfo& x, const PortInfo& y) { return x.name == y.name; });
}

}  // namespace

Result<StepPorts> find_step_ports(std::span<const Contender> contenders, const FedInput& fed,
                                  const StepPortOptions& options, bool constants) {
  const Session& first = *contenders[0].session;
  for (const Contender& c : contenders) {
    if (same_names(first.inputs(), c.session->inputs()) &&
        same_names(first.outputs(), c.session->outputs())) {
      continue;
    }
    return Status(ErrorCode::invalid_argument,
                  "the float network has other inputs or outputs: " +
                      describe_ports(first.inputs()) + " and " + describe_ports(first.outputs()),
                  "give --float the network that the model was made from");
  }
  return find_step_ports(first.inputs(), first.outputs(), fed, options, constants);
}

Stepper::Stepper(const Contender& contender, const StepPorts& ports)
    : contender_(&contender), ports_(&ports) {
  for (const PortInfo& port : contender.session->inputs()) inputs_.push_back({port.name, {}});
}

Status Stepper::reset(std::int64_t batch) {
  for (const StatePair& pair : ports_->states) {
    const PortInfo& port = contender_->session->inputs()[pair.input];
    Shape shape = port.shape;
    if (std::count_if(shape.begin(), shape.end(), [](std::int64_t d) { return d < 0; }) > 1) {
      return {
          ErrorCode::unsupported,
          "state '" + port.name + "' leaves more than one dimension free, so its size is unknown",
          "export the network with only the batch free"};
    }
    for (std::int64_t& d : shape) d = d < 0 ? batch : d;
    PBATCH_ASSIGN_OR_RETURN(Tensor zeros, Tensor::create(port.dtype, shape));
    std::memset(zeros.mutable_raw(), 0, zeros.bytes());
    inputs_[pair.input].tensor = std::move(zeros);
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

}  // namespace pbatch
