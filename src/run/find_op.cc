#include "run/find_op.h"

#include <string>

#include "graph/known_attributes.h"
#include "graph/subgraphs.h"
#include "run/op_remedy.h"
#include "run/refused_operators.h"

namespace pbatch {

#define PBATCH_OP(domain, op_type, first_opset, factory) \
  Result<std::unique_ptr<Op>> factory(const Graph& graph, const Node& node);
#include "op/ops.inc"
#undef PBATCH_OP

namespace {

struct OpEntry {
  const char* domain;
  const char* op_type;
  int first_opset;
  OpFactory factory;
};

constexpr OpEntry kOps[] = {
#define PBATCH_OP(domain, op_type, first_opset, factory) {domain, op_type, first_opset, factory},
#include "op/ops.inc"
#undef PBATCH_OP
};

}  // namespace

Result<OpFactory> find_op(const Node& node) {
  const OpEntry* best = nullptr;      // the newest definition that the model's opset knows
  const OpEntry* earliest = nullptr;  // of any opset, for the message
  for (const OpEntry& entry : kOps) {
    if (node.domain != entry.domain || node.op_type != entry.op_type) continue;
    if (earliest == nullptr || entry.first_opset < earliest->first_opset) earliest = &entry;
    if (entry.first_opset > node.opset) continue;
    if (best == nullptr || entry.first_opset > best->first_opset) best = &entry;
  }
  if (best != nullptr) {
    PBATCH_RETURN_IF_ERROR(check_attributes_known(node));
    return best->factory;
  }
  const std::string what = "operator " + node.op_type + " of " +
                           (node.domain.empty() ? "ai.onnx" : node.domain) + ", opset " +
                           std::to_string(node.opset) + ", is not supported";
  if (earliest != nullptr) {
    return Status(
        ErrorCode::unsupported,
        what + ": it is known from opset " + std::to_string(earliest->first_opset) + " on",
        "export the network with that opset or a later one");
  }
  return Status(ErrorCode::unsupported, what, remedy_for(node));
}

Status check_operators(const Graph& graph) {
  RefusedOperators refused;
  visit_nodes(graph, [&](const Node& node) {
    if (const Status status = find_op(node).status(); !status) refused.add(node, status);
  });
  return refused.status("nor", graph.source_file);
}

}  // namespace pbatch
