#include "graph/rewrite.h"

#include <utility>

namespace pbatch {

Uses::Uses(const Graph& graph)
    : consumers_(graph.consumers()), is_output_(graph.values.size(), false) {
  for (const ValueId id : graph.outputs) is_output_[static_cast<std::size_t>(id)] = true;
}

bool Uses::is_used(ValueId id) const {
  return is_output(id) || !consumers_[static_cast<std::size_t>(id)].empty();
}

std::int32_t Uses::sole_consumer(ValueId id) const {
  const std::vector<std::int32_t>& users = consumers_[static_cast<std::size_t>(id)];
  return users.size() == 1 && !is_output(id) ? users.front() : -1;
}

bool is_onnx(const Node& node, const char* op_type) {
  return node.domain.empty() && node.op_type == op_type;
}

bool is_pbatch(const Node& node, const char* op_type) {
  return node.domain == kPbatchDomain && node.op_type == op_type;
}

ValueId input_or_none(const Node& node, std::size_t i) {
  return i < node.inputs.size() ? node.inputs[i] : kNoValue;
}

const Tensor* float_constant(const Graph& graph, const Node& node, std::size_t i) {
  const Tensor* tensor = graph.constant(input_or_none(node, i));
  return tensor != nullptr && tensor->dtype() == DType::f32 ? tensor : nullptr;
}

NewConstants::NewConstants(Graph& graph) : graph_(graph) {
  for (const Value& value : graph.values) names_.insert(value.name);
}

std::string NewConstants::unused(const std::string& base) {
  std::string name = base;
  for (int suffix = 2; !names_.insert(name).second; ++suffix) {
    name = base + "_" + std::to_string(suffix);
  }
  return name;
}

ValueId NewConstants::add_value(const std::string& base) {
  Value value;
  value.name = unused(base);
  return graph_.add_value(std::move(value));
}

ValueId NewConstants::add(const std::string& base, Tensor tensor) {
  Value value;
  value.name = unused(base);
  value.dtype = tensor.dtype();
  value.dims.emplace();
  for (const std::int64_t d : tensor.shape()) value.dims->push_back({d, {}});
  value.constant = std::move(tensor);
  return graph_.add_value(std::move(value));
}

void make_pbatch(Graph& graph, Node& node, const char* op_type) {
  node.op_type = op_type;
  node.domain = kPbatchDomain;
  node.opset = kPbatchOpset;
  graph.opsets[kPbatchDomain] = kPbatchOpset;
}

void erase_nodes(Graph& graph, const std::vector<bool>& dead) {
  std::vector<Node> kept;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!dead[n]) kept.push_back(std::move(graph.nodes[n]));
  }
  graph.nodes = std::move(kept);
}

}  // namespace pbatch
