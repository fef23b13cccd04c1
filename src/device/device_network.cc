#include "device/device_network.h"

#include <algorithm>
#include <utility>

#include "device/device_op.h"
#include "run/refused_operators.h"

namespace pbatch {
namespace {

// Shapes and precisions ready at once: a few batch sizes at all widths.
constexpr std::size_t kRunsKept = 32;

// The values that are known when a run is built: constants, shapes, and what is made of these.
std::vector<bool> known_values(const Graph& graph) {
  std::vector<bool> known(graph.values.size(), false);
  for (std::size_t i = 0; i < known.size(); ++i) known[i] = graph.values[i].constant.has_value();
  for (const Node& node : graph.nodes) {
    const bool of_shapes =
        node.domain.empty() && (node.op_type == "Shape" || node.op_type == "Size");
    const bool all = std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
      return id == kNoValue || known[static_cast<std::size_t>(id)];
    });
    if (!of_shapes && (!all || node.matrix != nullptr)) continue;
    for (const ValueId id : node.outputs) {
      if (id != kNoValue) known[static_cast<std::size_t>(id)] = true;
    }
  }
  return known;
}

}  // namespace

Status DeviceNetwork::check(const Graph& graph) {
  const std::vector<bool> known = known_values(graph);
  RefusedOperators refused;
  for (const Node& node : graph.nodes) {
    const bool on_host = std::all_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
      return id == kNoValue || known[static_cast<std::size_t>(id)];
    });
    if (on_host) continue;
    if (const Status status = find_device_op(node).status(); !status) refused.add(node, status);
  }
  return refused.status("as do", graph.source_file);
}

DeviceNetwork::DeviceNetwork(const Program& program, std::shared_ptr<Accelerator> device)
    : program_(program), weights_(std::move(device)), runs_(kRunsKept) {}

Result<std::unique_ptr<DeviceNetwork>> DeviceNetwork::create(const Program& program,
                                                             std::shared_ptr<Accelerator> device) {
  PBATCH_RETURN_IF_ERROR(check(program.graph()));
  return std::unique_ptr<DeviceNetwork>(new DeviceNetwork(program, std::move(device)));
}

Result<std::vector<PlanStep>> DeviceNetwork::plan(RunContext& host,
                                                  std::span<const Tensor> inputs) {
  PBATCH_RETURN_IF_ERROR(weights_.device()->use());
  const Result<std::shared_ptr<const DeviceRun>> ready = find_or_make(host, inputs);
  if (!ready) return ready.status().in_file(program_.graph().source_file);
  return (*ready)->steps();
}

Result<std::vector<Tensor>> DeviceNetwork::run(RunContext& host, std::span<const Tensor> inputs) {
  const std::string& file = program_.graph().source_file;
  PBATCH_RETURN_IF_ERROR(weights_.device()->use());
  Result<std::shared_ptr<const DeviceRun>> ready = find_or_make(host, inputs);
  if (!ready) return ready.status().in_file(file);
  Result<std::vector<Tensor>> outputs = (*ready)->run(host, inputs);
  if (!outputs) return outputs.status().in_file(file);
  return outputs;
}

Result<std::shared_ptr<const DeviceRun>> DeviceNetwork::find_or_make(
    RunContext& host, std::span<const Tensor> inputs) {
  Key key{host.precision, {}, {}};
  for (const Tensor& input : inputs) {
    key.types.push_back(input.dtype());
    key.shapes.push_back(input.shape());
  }
  const std::lock_guard lock(mutex_);
  if (auto ready = runs_.find(key)) return ready;
  auto made = DeviceRun::create(program_, weights_, host.precision, host, inputs);
  if (!made && made.status().code() == ErrorCode::out_of_memory) {
    runs_.erase_if([](const Key&) { return true; });
    made = DeviceRun::create(program_, weights_, host.precision, host, inputs);
  }
  PBATCH_RETURN_IF_ERROR(made.status());
  runs_.add(std::move(key), *made);
  return std::shared_ptr<const DeviceRun>(*made);
}

}  // namespace pbatch
