// A network run step by step.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "report/contender.h"
#include "report/step_ports.h"

namespace pbatch {

/// find_step_ports for networks that stand side by side: an error if their ports are not the same.
Result<StepPorts> find_step_ports(std::span<const Contender> contenders, const FedInput& fed,
                                  const StepPortOptions& options, bool constants = false);

/// A contender and its states. For one thread; keep contender and ports alive.
class Stepper {
 public:
  Stepper(const Contender& contender, const StepPorts& ports);

  /// Makes all states zero for `batch` sequences: the one free dimension that a state may have is
  /// the batch. Constant inputs stay as they were set. An error where a state has more of them.
  Status reset(std::int64_t batch);
  /// Sets a state or a constant input; `input` is an index into the session's inputs.
  void set(std::size_t input, Tensor value);
  /// One step: the output that is read. The states are those after it.
  Result<Tensor> run(Tensor fed);

  const PortInfo& fed_port() const { return contender_->session->inputs()[ports_->input]; }
  /// The states, in the order of StepPorts::states.
  std::vector<Tensor> states() const;

 private:
  const Contender* contender_;
  const StepPorts* ports_;
  std::vector<NamedTensor> inputs_;  // in the order of the session's inputs
};

}  // namespace pbatch
