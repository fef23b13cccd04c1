#include "onnx/node_names.h"

#include <string_view>
#include <utility>

namespace pbatch {

NodeNames::NodeNames(const onnx::GraphProto& graph, std::string scope,
                     std::unordered_set<std::string>& used)
    : scope_(std::move(scope)), used_(used) {
  for (const onnx::NodeProto& node : graph.node()) {
    if (!node.name().empty()) given_.insert(scoped(node.name()));
  }
}

std::string NodeNames::scope_of(const std::string& node, const std::string& attribute) {
  constexpr std::string_view branch = "_branch";
  const std::size_t kept =
      attribute.ends_with(branch) ? attribute.size() - branch.size() : attribute.size();
  return node + "/" + attribute.substr(0, kept) + "/";
}

std::string NodeNames::scoped(const std::string& name) const {
  return name.starts_with(scope_) ? name : scope_ + name;
}

std::string NodeNames::next(const onnx::NodeProto& node, int index) {
  const bool unnamed = node.name().empty();
  const std::string base =
      scoped(unnamed ? node.op_type() + "_" + std::to_string(index) : node.name());
  if (!unnamed && used_.insert(base).second) return base;
  std::string name = base;
  int& suffix = suffixes_[base];
  while (given_.count(name) != 0 || !used_.insert(name).second) {
    name = base + "_" + std::to_string(++suffix + 1);
  }
  return name;
}

}  // namespace pbatch
