#include <algorithm>
#include <utility>
#include <vector>

#include "graph/passes.h"
#include "graph/rewrite.h"
#include "graph/subgraphs.h"

namespace pbatch {
namespace {

// Inference form: no training, and nobody looks at the mask.
bool is_inference_dropout(const Graph& graph, const Node& node, const Uses& uses) {
  if (!is_onnx(node, "Dropout")) return false;
  if (node.outputs.size() > 1 && node.outputs[1] != kNoValue && uses.is_used(node.outputs[1])) {
    return false;
  }
  const ValueId training = input_or_none(node, 2);  // an input since opset 12
  if (training == kNoValue) return true;
  const Tensor* mode = graph.constant(training);
  return mode != nullptr && mode->dtype() == DType::boolean && mode->size() == 1 &&
         *mode->data<std::uint8_t>() == 0;
}

// Bypasses nodes that pass their first input on unchanged. Those that give a
// graph output its name take the place of the node before them where that is possible.
void bypass_copies(Graph& graph) {
  const Uses uses(graph);
  std::vector<std::int32_t> producers = graph.producers();
  std::vector<bool> dead(graph.nodes.size(), false);
  std::vector<ValueId> same_as(graph.values.size());
  for (std::size_t v = 0; v < same_as.size(); ++v) same_as[v] = static_cast<ValueId>(v);
  // Chains stay short: a copy leads to its source, and that perhaps to a graph output.
  const auto resolve = [&same_as](ValueId id) {
    while (id != kNoValue && same_as[static_cast<std::size_t>(id)] != id) {
      id = same_as[static_cast<std::size_t>(id)];
    }
    return id;
  };

  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    const bool copies = is_onnx(node, "Identity") || is_inference_dropout(graph, node, uses);
    if (!copies || input_or_none(node, 0) == kNoValue || node.outputs.empty() ||
        node.outputs[0] == kNoValue) {
      continue;
    }
    const ValueId from = resolve(node.inputs[0]), to = node.outputs[0];
    if (!uses.is_output(to)) {
      same_as[static_cast<std::size_t>(to)] = from;
      dead[n] = true;
      continue;
    }
    const std::int32_t producer = producers[static_cast<std::size_t>(from)];
    if (producer < 0 || uses.is_output(from)) continue;
    std::vector<ValueId>& made = graph.nodes[static_cast<std::size_t>(producer)].outputs;
    std::replace(made.begin(), made.end(), from, to);
    producers[static_cast<std::size_t>(to)] = producer;
    dead[n] = true;
    same_as[static_cast<std::size_t>(from)] = to;
  }
  for (Node& node : graph.nodes) {
    std::transform(node.inputs.begin(), node.inputs.end(), node.inputs.begin(), resolve);
  }
  erase_nodes(graph, dead);
}

void drop_dead_nodes(Graph& graph) {
  std::vector<bool> needed(graph.values.size(), false);
  for (const ValueId id : graph.outputs) needed[static_cast<std::size_t>(id)] = true;
  std::vector<bool> dead(graph.nodes.size(), false);
  for (std::size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    dead[n] = std::none_of(node.outputs.begin(), node.outputs.end(), [&needed](ValueId id) {
      return id != kNoValue && needed[static_cast<std::size_t>(id)];
    });
    if (dead[n]) continue;
    for (const ValueId id : node.inputs) {
      if (id != kNoValue) needed[static_cast<std::size_t>(id)] = true;
    }
  }
  erase_nodes(graph, dead);
}

// Keeps the values that a node, an input or an output mentions.
void compact_values(Graph& graph) {
  std::vector<ValueId> renumbered(graph.values.size(), kNoValue);
  const auto mention = [&renumbered](const std::vector<ValueId>& ids) {
    for (const ValueId id : ids) {
      if (id != kNoValue) renumbered[static_cast<std::size_t>(id)] = 0;
    }
  };
  mention(graph.inputs);
  mention(graph.outputs);
  for (const Node& node : graph.nodes) {
    mention(node.inputs);
    mention(node.outputs);
  }
  std::vector<Value> kept;
  for (std::size_t v = 0; v < graph.values.size(); ++v) {
    if (renumbered[v] == kNoValue) continue;
    renumbered[v] = static_cast<ValueId>(kept.size());
    kept.push_back(std::move(graph.values[v]));
  }
  graph.values = std::move(kept);
  const auto renumber = [&renumbered](std::vector<ValueId>& ids) {
    for (ValueId& id : ids) {
      if (id != kNoValue) id = renumbered[static_cast<std::size_t>(id)];
    }
  };
  renumber(graph.inputs);
  renumber(graph.outputs);
  for (Node& node : graph.nodes) {
    renumber(node.inputs);
    renumber(node.outputs);
  }
}

// What is not captured any more leaves its value behind in the subgraph, so values are
// renumbered only when all nodes are gone.
Status drop_nodes(Graph& graph) {
  PBATCH_RETURN_IF_ERROR(change_subgraphs(graph, drop_nodes));
  for (Node& node : graph.nodes) drop_unused_captures(node);
  bypass_copies(graph);
  drop_dead_nodes(graph);
  return Status::ok();
}

Status renumber_values(Graph& graph) {
  compact_values(graph);
  return change_subgraphs(graph, renumber_values);
}

}  // namespace

Status remove_unused(Graph& graph) {
  PBATCH_RETURN_IF_ERROR(drop_nodes(graph));
  return renumber_values(graph);
}

}  // namespace pbatch
