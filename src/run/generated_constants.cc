#include "run/generated_constants.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "graph/rewrite.h"
#include "graph/subgraphs.h"

namespace pbatch {
namespace {

// Up to here a constant costs less than a node.
constexpr std::int64_t kSmall = 4096;
constexpr std::int64_t kMuchLarger = 4;
// Numbers of few bits that become floats are the same numbers still.
constexpr std::int64_t kMuchWider = 16;

bool only_widens(const Node& node) {
  return is_onnx(node, "Cast") || is_onnx(node, "CastLike") || is_onnx(node, "DequantizeLinear");
}

bool is_layer_of_weights(const Node& node) {
  for (const char* op : {"Conv", "RNN", "LSTM", "GRU"}) {
    if (is_onnx(node, op)) return true;
  }
  return false;
}

}  // namespace

std::int64_t GeneratedConstants::origin_of(const Graph& graph, ValueId id) const {
  if (id == kNoValue) return 0;
  const auto it = origins_.find(id);
  if (it != origins_.end()) return it->second;
  return static_cast<std::int64_t>(graph.constant(id)->bytes());
}

void GeneratedConstants::note(const Graph& graph, Node node) {
  std::int64_t origin = 0, bytes = 0;
  for (const ValueId id : node.inputs) origin += origin_of(graph, id);
  for (const ValueId id : node.outputs) {
    if (id == kNoValue) continue;
    const auto size = static_cast<std::int64_t>(graph.constant(id)->bytes());
    origins_[id] = std::min(origin, size);
    bytes += size;
  }
  const std::int64_t factor = only_widens(node) ? kMuchWider : kMuchLarger;
  if (bytes > kSmall && bytes / factor > origin) nodes_.push_back(std::move(node));
}

void GeneratedConstants::tell_subgraphs(Graph& graph, Node& node) const {
  std::map<ValueId, Tensor> hidden;
  for (const Node& generator : nodes_) {
    for (const ValueId id : generator.outputs) {
      if (id == kNoValue) continue;
      std::optional<Tensor>& constant = graph.values[static_cast<std::size_t>(id)].constant;
      hidden.emplace(id, *std::exchange(constant, std::nullopt));
    }
  }
  pbatch::tell_subgraphs(graph, node);
  for (auto& [id, tensor] : hidden) {
    graph.values[static_cast<std::size_t>(id)].constant = std::move(tensor);
  }
}

std::vector<Node> GeneratedConstants::nodes_to_keep(Graph& graph, const std::vector<Node>& kept) {
  std::vector<bool> needed(graph.values.size(), false), weights(graph.values.size(), false);
  const auto need = [&](const Node& node) {
    for (const ValueId id : node.inputs) {
      if (id != kNoValue) needed[static_cast<std::size_t>(id)] = true;
    }
  };
  for (const Node& node : kept) {
    need(node);
    for (std::size_t i = 1; i < node.inputs.size() && is_layer_of_weights(node); ++i) {
      if (node.inputs[i] != kNoValue) weights[static_cast<std::size_t>(node.inputs[i])] = true;
    }
  }
  std::vector<Node> restored;
  for (auto node = nodes_.rbegin(); node != nodes_.rend(); ++node) {
    bool wanted = false, stays = false;
    for (const ValueId id : node->outputs) {
      if (id == kNoValue) continue;
      wanted = wanted || needed[static_cast<std::size_t>(id)];
      stays = stays || weights[static_cast<std::size_t>(id)];
    }
    if (!wanted || stays) continue;
    need(*node);
    for (const ValueId id : node->outputs) {
      if (id != kNoValue) graph.values[static_cast<std::size_t>(id)].constant.reset();
    }
    restored.push_back(std::move(*node));
  }
  std::reverse(restored.begin(), restored.end());
  return restored;
}

}  // namespace pbatch
