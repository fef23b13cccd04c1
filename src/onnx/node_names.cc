#include "onnx/node_names.h"

namespace pbatch {

NodeNames::NodeNames(const onnx::GraphProto& graph) {
  for (const onnx::NodeProto& node : graph.node()) {
    if (!node.name().empty()) given_.insert(node.name());
  }
}

std::string NodeNames::next(const onnx::NodeProto& node, int index) {
  if (!node.name().empty() && used_.insert(node.name()).second) return node.name();
  const std::string base =
      node.name().empty() ? node.op_type() + "_" + std::to_string(index) : node.name();
  std::string name = base;
  int& suffix = suffixes_[base];
  while (given_.count(name) != 0 || !used_.insert(name).second) {
    name = base + "_" + std::to_string(++suffix + 1);
  }
  return name;
}

}  // namespace pbatch
