#include "compiled_group.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "build_graph.h"
#include "load_group.h"
#include "values.h"

namespace pbatch::ort {
namespace {

Status copy_output(const Ort::KernelContext& context, std::size_t index, const Tensor& tensor) {
  const Ort::UnownedValue to = context.GetOutput(index, tensor.shape());
  if (static_cast<OrtValue*>(to) == nullptr || tensor.bytes() == 0) return Status::ok();
  void* data = nullptr;
  Ort::ThrowOnError(Ort::GetApi().GetTensorMutableData(to, &data));
  std::memcpy(data, tensor.raw(), tensor.bytes());
  return Status::ok();
}

}  // namespace

Result<std::unique_ptr<CompiledGroup>> CompiledGroup::create(
    const Ort::ConstGraph& graph, const Ort::ConstNode& fused, const Settings& settings,
    const std::shared_ptr<ThreadPool>& pool) {
  PBATCH_ASSIGN_OR_RETURN(Graph built, build_graph(graph, fused));
  PBATCH_ASSIGN_OR_RETURN(Session session, load_group(std::move(built), settings, pool));
  std::unique_ptr<CompiledGroup> made(new CompiledGroup(std::move(session)));
  const std::vector<Ort::ConstValueInfo> inputs = fused.GetInputs(), outputs = fused.GetOutputs();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::string name = inputs[i].GetName();
    const auto& ports = made->session_.inputs();
    const bool is_read = std::any_of(ports.begin(), ports.end(),
                                     [&](const PortInfo& port) { return port.name == name; });
    if (is_read) made->inputs_.push_back({name, i});
  }
  for (const PortInfo& port : made->session_.outputs()) {
    const auto it = std::find_if(outputs.begin(), outputs.end(), [&](const Ort::ConstValueInfo& o) {
      return o.GetName() == port.name;
    });
    if (it == outputs.end()) {
      return Status(ErrorCode::internal, "output '" + port.name + "' got lost",
                    "please report this with the network");
    }
    made->outputs_.push_back({port.name, static_cast<std::size_t>(it - outputs.begin())});
  }
  return made;
}

bool CompiledGroup::has_layer(const std::string& name) const {
  return std::any_of(layers().begin(), layers().end(),
                     [&](const LayerInfo& layer) { return layer.name == name; });
}

Precision CompiledGroup::own(const Precision& precision) const {
  Precision mine = precision;
  std::erase_if(mine.layers, [&](const auto& entry) { return !has_layer(entry.first); });
  return mine;
}

Status CompiledGroup::compute(OrtKernelContext* raw, const Precision& precision) const {
  const Ort::KernelContext context(raw);
  std::vector<NamedTensor> feeds;
  feeds.reserve(inputs_.size());
  for (const Port& port : inputs_) {
    const Ort::ConstValue value = context.GetInput(port.index);
    Result<Tensor> tensor = view_of(value);
    if (!tensor) return tensor.status();
    feeds.push_back({port.name, *std::move(tensor)});
  }
  PBATCH_ASSIGN_OR_RETURN(
      const std::vector<Tensor> results,
      session_.run(feeds, precision.layers.empty() ? precision : own(precision)));
  for (std::size_t i = 0; i < results.size(); ++i) {
    PBATCH_RETURN_IF_ERROR(copy_output(context, outputs_[i].index, results[i]));
  }
  return Status::ok();
}

}  // namespace pbatch::ort
