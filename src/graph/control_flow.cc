#include <algorithm>
#include <cstdint>
#include <string>

#include "graph/rewrite.h"
#include "graph/subgraphs.h"

namespace pbatch {
namespace {

Status invalid(const Node& node, const std::string& what) {
  return {ErrorCode::malformed, node.op_type + " " + what,
          "the exporter wrote an invalid node; export the model again"};
}

Status wrong_count(const Node& node, const std::string& attribute, const char* ports,
                   std::size_t has, const std::string& wanted) {
  return invalid(node, "has a subgraph '" + attribute + "' of " + std::to_string(has) + " " +
                           ports + ", not " + wanted);
}

const Graph* subgraph(const Node& node, const char* attribute) {
  const auto it = node.subgraphs.find(attribute);
  return it == node.subgraphs.end() ? nullptr : it->second.get();
}

Status check_if(const Node& node) {
  if (own_inputs(node) != 1 || node.inputs[0] == kNoValue) {
    return invalid(node, "does not have one input, its condition");
  }
  for (const char* name : {"then_branch", "else_branch"}) {
    const Graph* branch = subgraph(node, name);
    if (branch == nullptr) return invalid(node, std::string("lacks its subgraph '") + name + "'");
    if (branch->inputs.size() != node.captures) {
      return wrong_count(node, name, "inputs", branch->inputs.size() - node.captures, "0");
    }
    if (branch->outputs.size() != node.outputs.size()) {
      return wrong_count(node, name, "outputs", branch->outputs.size(),
                         std::to_string(node.outputs.size()));
    }
  }
  return Status::ok();
}

// A body takes and makes `state` values that go around, beside `inputs` and `outputs` more.
Status check_body(const Node& node, std::size_t state, std::size_t inputs, std::size_t outputs) {
  const Graph* body = subgraph(node, "body");
  if (body == nullptr) return invalid(node, "lacks its subgraph 'body'");
  const std::size_t takes = body->inputs.size() - node.captures;
  if (takes != state + inputs) {
    return wrong_count(node, "body", "inputs", takes, std::to_string(state + inputs));
  }
  if (body->outputs.size() < state + outputs) {
    return wrong_count(node, "body", "outputs", body->outputs.size(),
                       std::to_string(state + outputs) + " or more");
  }
  if (node.outputs.size() > body->outputs.size() - outputs) {
    return invalid(
        node, "has " + std::to_string(node.outputs.size()) + " outputs, more than its body makes");
  }
  return Status::ok();
}

Status check_inputs_given(const Node& node, std::size_t first) {
  for (std::size_t i = first; i < own_inputs(node); ++i) {
    if (node.inputs[i] == kNoValue) {
      return invalid(node, "lacks its input " + std::to_string(i));
    }
  }
  return Status::ok();
}

Status check_loop(const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_inputs_given(node, 2));
  const std::size_t state = std::max<std::size_t>(own_inputs(node), 2) - 2;
  return check_body(node, state, 2, 1);  // number and condition in, condition out
}

Status check_scan(const Node& node) {
  const std::size_t lengths = node.opset < 9 ? 1 : 0;  // an optional first input
  PBATCH_RETURN_IF_ERROR(check_inputs_given(node, lengths));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t scanned, node.int_attr("num_scan_inputs", 0));
  const auto given = static_cast<std::int64_t>(own_inputs(node)) - std::int64_t(lengths);
  if (scanned < 1 || scanned > given) {
    return invalid(node, "has " + std::to_string(given) + " inputs, and num_scan_inputs is " +
                             std::to_string(scanned));
  }
  return check_body(node, static_cast<std::size_t>(given - scanned),
                    static_cast<std::size_t>(scanned), 0);
}

}  // namespace

Status check_control_flow(const Node& node) {
  Status status;
  if (is_onnx(node, "If")) status = check_if(node);
  if (is_onnx(node, "Loop")) status = check_loop(node);
  if (is_onnx(node, "Scan")) status = check_scan(node);
  return std::move(status).at_node(node.name);
}

}  // namespace pbatch
