#include "calibrate/network_runner.h"

#include <utility>

#include "execute/check_inputs.h"

namespace pbatch {

Result<NetworkRunner> NetworkRunner::create(Graph graph, ThreadPool& pool) {
  NetworkRunner runner;
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

Result<std::vector<Tensor>> NetworkRunner::run(std::span<const NamedTensor> inputs) {
  PBATCH_ASSIGN_OR_RETURN(const std::vector<Tensor> ordered, check_inputs(graph(), inputs));
  Precision precision = Precision::bits(16, 16);
  precision.exact = true;  // the same bits everywhere, and no convolution that nobody observes
  RunContext context{*pool_, *buffers_, precision, FloatBackend::onednn};
  const ObserveInputs watching(observer_);
  return program_->run(context, ordered);
}

}  // namespace pbatch
