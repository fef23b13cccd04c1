#include <utility>

#include "graph/subgraphs.h"

namespace pbatch {

Inliner::Inliner(Graph& graph) : graph_(graph) {
  for (const Value& value : graph.values) names_.insert(value.name);
}

ValueId Inliner::add_value(Value value) {
  const std::string base = value.name;
  for (int suffix = 2; !names_.insert(value.name).second; ++suffix) {
    value.name = base + "_" + std::to_string(suffix);
  }
  return graph_.add_value(std::move(value));
}

std::vector<Node> Inliner::nodes_of(const Node& node, const Graph& branch) {
  std::vector<ValueId> ids(branch.values.size(), kNoValue);  // of the branch -> of the graph
  for (std::size_t i = 0; i < node.captures; ++i) {
    ids[static_cast<std::size_t>(branch.inputs[i])] = node.inputs[own_inputs(node) + i];
  }
  // A value that a node of the branch makes takes the place of the output; what the
  // branch only hands on is copied into it.
  const std::vector<std::int32_t> producers = branch.producers();
  std::vector<Node> copies;
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    const auto made = static_cast<std::size_t>(branch.outputs[i]);
    if (producers[made] >= 0 && ids[made] == kNoValue) {
      ids[made] = node.outputs[i];
      continue;
    }
    Node copy;
    copy.name = node.name + "/output_" + std::to_string(i);
    copy.op_type = "Identity";
    copy.opset = node.opset;
    copy.inputs = {branch.outputs[i]};
    copy.outputs = {node.outputs[i]};
    copies.push_back(std::move(copy));
  }
  for (std::size_t v = 0; v < ids.size(); ++v) {
    if (ids[v] == kNoValue) ids[v] = add_value(branch.values[v]);
  }
  const auto rewire = [&ids](std::vector<ValueId>& values) {
    for (ValueId& id : values) {
      if (id != kNoValue) id = ids[static_cast<std::size_t>(id)];
    }
  };
  std::vector<Node> nodes = branch.nodes;
  for (Node& inner : nodes) {
    rewire(inner.inputs);
    rewire(inner.outputs);
  }
  for (Node& copy : copies) {
    rewire(copy.inputs);
    nodes.push_back(std::move(copy));
  }
  return nodes;
}

}  // namespace pbatch
