#include <algorithm>
#include <utility>

#include "graph/subgraphs.h"

namespace pbatch {
namespace {

// Keeps the captured values whose place in `keep` is true.
void keep_captures(Node& node, const std::vector<bool>& keep) {
  const auto filter = [&keep](std::vector<ValueId>& ids) {
    const std::size_t first = ids.size() - keep.size();
    std::size_t to = first;
    for (std::size_t i = 0; i < keep.size(); ++i) {
      if (keep[i]) ids[to++] = ids[first + i];
    }
    ids.resize(to);
  };
  for (auto& entry : node.subgraphs) {
    auto changed = std::make_shared<Graph>(*entry.second);
    filter(changed->inputs);
    entry.second = std::move(changed);
  }
  filter(node.inputs);
  node.captures = static_cast<std::size_t>(std::count(keep.begin(), keep.end(), true));
}

// Takes over what is known of value `from`; the constant too, if there is one.
void tell(const Value& from, Value& to) {
  to.constant = from.constant;
  if (!to.dims && from.dims) {
    to.dtype = from.dtype;
    to.dims = from.dims;
  }
  if (from.constant) to.dtype = from.dtype;
}

std::vector<bool> mentioned(const Graph& graph) {
  std::vector<bool> used(graph.values.size(), false);
  const auto mention = [&used](const std::vector<ValueId>& ids) {
    for (const ValueId id : ids) {
      if (id != kNoValue) used[static_cast<std::size_t>(id)] = true;
    }
  };
  for (const Node& node : graph.nodes) mention(node.inputs);
  mention(graph.outputs);
  return used;
}

}  // namespace

void tell_subgraphs(const Graph& graph, Node& node) {
  const std::size_t first = own_inputs(node);
  for (auto& entry : node.subgraphs) {
    auto changed = std::make_shared<Graph>(*entry.second);
    const std::size_t inner = changed->inputs.size() - node.captures;
    for (std::size_t i = 0; i < node.captures; ++i) {
      tell(graph.values[static_cast<std::size_t>(node.inputs[first + i])],
           changed->values[static_cast<std::size_t>(changed->inputs[inner + i])]);
    }
    for (Node& deeper : changed->nodes) tell_subgraphs(*changed, deeper);
    entry.second = std::move(changed);
  }
  std::vector<bool> keep(node.captures);
  for (std::size_t i = 0; i < keep.size(); ++i) {
    keep[i] = graph.constant(node.inputs[first + i]) == nullptr;
  }
  keep_captures(node, keep);
}

void drop_unused_captures(Node& node) {
  std::vector<bool> keep(node.captures, false);
  for (const auto& entry : node.subgraphs) {
    const std::vector<bool> used = mentioned(*entry.second);
    const std::vector<ValueId>& inputs = entry.second->inputs;
    for (std::size_t i = 0; i < keep.size(); ++i) {
      const ValueId id = inputs[inputs.size() - keep.size() + i];
      if (used[static_cast<std::size_t>(id)]) keep[i] = true;
    }
  }
  keep_captures(node, keep);
}

}  // namespace pbatch
