#include "calibrate/network_runner.h"

#include <utility>

#include "run/check_inputs.h"

namespace pbatch {

Result<NetworkRunner> NetworkRunner::create(Graph graph, ThreadPool& pool, int weight_bits) {
  NetworkRunner runner;
  runner.weight_bits_ = weight_bits;
  PBATCH_ASSIGN_OR_RETURN(Program program, Program::build(std::move(graph)));
  runner.program_ = std::make_unique<Program>(std::move(program));
  runner.buffers_ = std::make_unique<BufferPool>();
  runner.pool_ = &pool;
  const Graph& g = runner.graph();
  for (const ValueId id : g.inputs) {
    PortInfo port = describe_port(g, id);
    if (!port.optional) runner.inputs_.push_back(std::move(port));
  }
  for (const ValueId id : g.outputs) runner.outputs_.push_back(describe_port(g, id));
  return runner;
}

void NetworkRunner::record(std::vector<std::vector<NamedTensor>>* sets, std::size_t most) {
  recorded_ = sets;
  most_recorded_ = most;
  distance_ = 1;
  watched_runs_ = 0;
}

void NetworkRunner::keep(std::span<const NamedTensor> inputs) {
  if (watched_runs_++ % distance_ != 0) return;
  recorded_->emplace_back(inputs.begin(), inputs.end());
  if (recorded_->size() < 2 * most_recorded_) return;
  for (std::size_t i = 0; i < most_recorded_; ++i) (*recorded_)[i] = (*recorded_)[2 * i];
  recorded_->resize(most_recorded_);
  distance_ *= 2;
}

Result<std::vector<Tensor>> NetworkRunner::run(std::span<const NamedTensor> inputs) {
  if (recorded_ != nullptr && observer_ != nullptr) keep(inputs);
  return run(inputs, observer_);
}

Result<std::vector<Tensor>> NetworkRunner::run(std::span<const NamedTensor> inputs,
                                               InputObserver* observer) {
  PBATCH_ASSIGN_OR_RETURN(const std::vector<Tensor> ordered, check_inputs(graph(), inputs));
  Precision precision = Precision::bits(weight_bits_, 16);
  precision.exact = true;  // the same bits everywhere, and no convolution that nobody observes
  RunContext context{*pool_, *buffers_, precision, FloatBackend::onednn};
  const ObserveInputs watching(observer);
  return program_->run(context, ordered);
}

}  // namespace pbatch
