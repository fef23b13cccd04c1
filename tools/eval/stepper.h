// A network run step by step.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "feed/step_ports.h"
#include "tools/eval/contender.h"

namespace pbatch {

/// An error unless all have inputs and outputs of the same names.
Status check_same_ports(std::span<const Contender> contenders);

/// Zeros for a state of `batch` sequences: the one free dimension that it may have is the batch.
/// unsupported where it has more of them.
Result<Tensor> zero_state(const PortInfo& port, std::int64_t batch);

/// find_step_ports for networks that stand side by side: an error if their ports are not the same.
Result<StepPorts> find_step_ports(std::span<const Contender> contenders, const FedInput& fed,
                                  const StepPortOptions& options, bool constants = false);

/// A contender and its states. For one thread; keep contender and ports alive.
class Stepper {
 public:
  Stepper(const Contender& contender, const StepPorts& ports);

  /// Makes all states zero for `batch` sequences. Constant inputs stay as they were set.
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

/// Latency and size of each contender, steppers[i] being the one of contenders[i], ready to run and
/// its states carried on. A timed call is a step of `items_per_step` items, fed with the next of
/// `fed`, again the first after the last. Precondition: `fed` is not empty.
Result<std::vector<Cost>> measure_steps(std::span<const Contender> contenders,
                                        std::span<Stepper> steppers, std::span<const Tensor> fed,
                                        double items_per_step, const TimingOptions& timing,
                                        Progress& progress);

}  // namespace pbatch
