#include "onnx/one_opset.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "onnx/convert_node.h"
#include "onnx/domain.h"

namespace pbatch {
namespace {

using NodeList = google::protobuf::RepeatedPtrField<onnx::NodeProto>;
using Imports = google::protobuf::RepeatedPtrField<onnx::OperatorSetIdProto>;

onnx::OperatorSetIdProto* import_of_onnx(Imports& imports) {
  const auto it = std::find_if(imports.begin(), imports.end(), [](const auto& entry) {
    return canonical_domain(entry.domain()).empty();
  });
  return it == imports.end() ? nullptr : &*it;
}

// Calls visit for the nodes and those of their subgraphs.
template <class Visit>
void visit_all(const NodeList& nodes, const Visit& visit) {
  for (const onnx::NodeProto& node : nodes) {
    visit(node);
    for (const onnx::AttributeProto& attribute : node.attribute()) {
      visit_all(attribute.g().node(), visit);
    }
  }
}

// The functions that the model calls, directly or not.
std::vector<onnx::FunctionProto*> called_functions(onnx::ModelProto& model) {
  std::set<std::pair<std::string, std::string>> called;
  const auto note = [&](const onnx::NodeProto& node) {
    called.emplace(canonical_domain(node.domain()), node.op_type());
  };
  visit_all(model.graph().node(), note);
  std::vector<onnx::FunctionProto*> found;
  std::set<const onnx::FunctionProto*> seen;
  for (bool more = true; more;) {
    more = false;
    for (onnx::FunctionProto& function : *model.mutable_functions()) {
      if (called.count({canonical_domain(function.domain()), function.name()}) == 0) continue;
      if (!seen.insert(&function).second) continue;
      found.push_back(&function);
      visit_all(function.node(), note);
      more = true;
    }
  }
  return found;
}

Status convert_nodes(NodeList& nodes, int from, int to) {
  NodeList given;
  given.Swap(&nodes);
  for (onnx::NodeProto& node : given) {
    for (onnx::AttributeProto& attribute : *node.mutable_attribute()) {
      if (!attribute.has_g()) continue;
      PBATCH_RETURN_IF_ERROR(convert_nodes(*attribute.mutable_g()->mutable_node(), from, to));
    }
    PBATCH_ASSIGN_OR_RETURN(std::vector<onnx::NodeProto> made, convert_node(node, from, to));
    for (onnx::NodeProto& one : made) nodes.Add()->Swap(&one);
  }
  return Status::ok();
}

bool uses_onnx(const NodeList& nodes) {
  bool uses = false;
  visit_all(nodes, [&](const auto& n) { uses = uses || canonical_domain(n.domain()).empty(); });
  return uses;
}

Status too_far_apart(std::int64_t one, std::int64_t other) {
  return Status(ErrorCode::unsupported,
                "the model and its functions are written for opsets " + std::to_string(one) +
                    " and " + std::to_string(other),
                "call onnx.inliner.inline_local_functions(model, convert_version=True)");
}

}  // namespace

Status use_one_opset(onnx::ModelProto& model) {
  struct Part {
    NodeList* nodes;
    onnx::OperatorSetIdProto* import;
  };
  std::vector<Part> parts{
      {model.mutable_graph()->mutable_node(), import_of_onnx(*model.mutable_opset_import())}};
  for (onnx::FunctionProto* function : called_functions(model)) {
    parts.push_back({function->mutable_node(), import_of_onnx(*function->mutable_opset_import())});
  }
  std::erase_if(parts, [](const Part& part) { return part.import == nullptr; });
  std::int64_t highest = 0;
  for (const Part& part : parts) {
    if (uses_onnx(*part.nodes)) highest = std::max(highest, part.import->version());
  }
  for (const Part& part : parts) {
    const std::int64_t version = part.import->version();
    if (version == highest || highest == 0) continue;
    if (uses_onnx(*part.nodes)) {
      if (version < 1 || highest > kNewestOpset) return too_far_apart(version, highest);
      PBATCH_RETURN_IF_ERROR(
          convert_nodes(*part.nodes, static_cast<int>(version), static_cast<int>(highest)));
    }
    part.import->set_version(highest);
  }
  return Status::ok();
}

}  // namespace pbatch
