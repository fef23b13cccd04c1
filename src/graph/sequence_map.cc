#include "graph/sequence_map.h"

#include <memory>
#include <string>
#include <utility>

#include "graph/subgraphs.h"

namespace pbatch {
namespace {

constexpr std::size_t kMostUnrolled = std::size_t{1} << 18;  // nodes

// The node's names, and those of what is inside, with the element behind the scope of the body.
Status rename_for_element(Node& node, const std::string& scope, const std::string& element) {
  if (node.name.starts_with(scope)) node.name.insert(scope.size(), element + "/");
  return change_subgraphs(node, [&](Graph& inner) {
    for (Node& deeper : inner.nodes) {
      PBATCH_RETURN_IF_ERROR(rename_for_element(deeper, scope, element));
    }
    return Status::ok();
  });
}

Status does_not_fit(const Node& node, const std::string& what) {
  return Status(ErrorCode::malformed, "SequenceMap " + what,
                "the exporter wrote an invalid node; export the model again")
      .at_node(node.name);
}

}  // namespace

Result<std::vector<std::vector<ValueId>>> unroll_sequence_map(
    Graph& graph, NewConstants& constants, const Node& node,
    const std::vector<std::vector<ValueId>>& arguments) {
  const auto found = node.subgraphs.find("body");
  if (found == node.subgraphs.end()) return does_not_fit(node, "has no body");
  const std::shared_ptr<const Graph> body = found->second;
  const std::size_t own = own_inputs(node);
  if (body->inputs.size() != node.inputs.size() || body->outputs.size() != node.outputs.size()) {
    return does_not_fit(node, "has a body with other inputs or outputs than its own");
  }
  if (arguments.size() * (body->nodes.size() + 1) > kMostUnrolled) {
    return Status(ErrorCode::unsupported, "SequenceMap would be too many nodes",
                  "export the network with tensors in place of sequences")
        .at_node(node.name);
  }
  const std::string scope = node.name + "/body/";
  std::vector<ValueId> shared(body->values.size(), kNoValue);  // the same for all elements
  for (std::size_t c = own; c < node.inputs.size(); ++c) {
    shared[static_cast<std::size_t>(body->inputs[c])] = node.inputs[c];
  }
  for (std::size_t v = 0; v < body->values.size(); ++v) {
    const Value& value = body->values[v];
    if (value.constant) shared[v] = constants.add(scope + value.name, *value.constant);
  }
  std::vector<std::vector<ValueId>> results(node.outputs.size());
  for (std::size_t k = 0; k < arguments.size(); ++k) {
    const std::string element = std::to_string(k);
    std::vector<ValueId> ids = shared;
    for (std::size_t i = 0; i < own; ++i) {
      ids[static_cast<std::size_t>(body->inputs[i])] = arguments[k][i];
    }
    const auto id_of = [&](ValueId inner) {
      if (inner == kNoValue) return kNoValue;
      const auto v = static_cast<std::size_t>(inner);
      if (ids[v] == kNoValue) {
        ids[v] = constants.add_value(scope + element + "/" + body->values[v].name);
        graph.values[static_cast<std::size_t>(ids[v])].dtype = body->values[v].dtype;
      }
      return ids[v];
    };
    for (Node made : body->nodes) {
      PBATCH_RETURN_IF_ERROR(rename_for_element(made, scope, element));
      for (ValueId& id : made.inputs) id = id_of(id);
      for (ValueId& id : made.outputs) id = id_of(id);
      graph.nodes.push_back(std::move(made));
    }
    for (std::size_t o = 0; o < results.size(); ++o) results[o].push_back(id_of(body->outputs[o]));
  }
  return results;
}

}  // namespace pbatch
