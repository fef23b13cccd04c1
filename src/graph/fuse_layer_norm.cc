#include <algorithm>
#include <cstdint>
#include <optional>

#include "graph/decomposed.h"
#include "graph/passes.h"
#include "graph/subgraphs.h"

namespace pbatch {
namespace {

// x, if `id` is x - mean(x).
std::optional<ValueId> centred(const Parts& parts, ValueId id) {
  const Node* const difference = parts.made_by(id, "Sub");
  if (difference == nullptr) return std::nullopt;
  const auto x = parts.mean_of(difference->inputs[1]);
  return x && *x == difference->inputs[0] ? x : std::nullopt;
}

// x, if `id` is (x - mean(x))^2.
std::optional<ValueId> squared(const Parts& parts, ValueId id) {
  if (const Node* pow = parts.made_by(id, "Pow");
      pow != nullptr && parts.is_near(pow->inputs[1], 2.0F)) {
    return centred(parts, pow->inputs[0]);
  }
  const Node* const mul = parts.made_by(id, "Mul");
  if (mul == nullptr || mul->inputs[0] != mul->inputs[1]) return std::nullopt;
  return centred(parts, mul->inputs[0]);
}

struct Normalized {
  ValueId x = kNoValue;
  float epsilon = 0.0F;
};

// (x - mean(x)) / sqrt(mean((x - mean(x))^2) + epsilon), which `div` makes.
std::optional<Normalized> normalized(const Parts& parts, const Node& div) {
  const auto x = centred(parts, div.inputs[0]);
  const Node* const root = parts.made_by(div.inputs[1], "Sqrt");
  if (!x || root == nullptr) return std::nullopt;
  const Node* const sum = parts.made_by(root->inputs[0], "Add");
  if (sum == nullptr) return std::nullopt;
  const auto epsilon = parts.scalar(sum->inputs[1]);
  const auto variance = parts.mean_of(sum->inputs[0]);
  if (!epsilon || !variance) return std::nullopt;
  const auto same = squared(parts, *variance);
  if (!same || *same != *x) return std::nullopt;
  return Normalized{*x, *epsilon};
}

// The vector that node `n` combines with `id`, if it is this operator with a constant one.
const Tensor* vector_of(const Graph& graph, std::int32_t n, const char* op_type, ValueId id,
                        ValueId* vector) {
  if (n < 0) return nullptr;
  const Node& node = graph.nodes[static_cast<std::size_t>(n)];
  if (!is_onnx(node, op_type) || node.inputs.size() != 2) return nullptr;
  const std::size_t other = node.inputs[0] == id ? 1 : 0;
  *vector = node.inputs[other];
  return constant_vector(graph, node, other);
}

}  // namespace

Status fuse_layer_norm(Graph& graph) {
  PBATCH_RETURN_IF_ERROR(change_subgraphs(graph, fuse_layer_norm));
  const Parts parts(graph);
  const Uses uses(graph);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& div = graph.nodes[i];
    if (!is_onnx(div, "Div") || div.inputs.size() != 2 || div.outputs.size() != 1) continue;
    const std::optional<Normalized> found = normalized(parts, div);
    if (!found) continue;
    std::int32_t last = uses.sole_consumer(div.outputs[0]);
    ValueId scale = kNoValue, bias = kNoValue;
    const Tensor* const factors = vector_of(graph, last, "Mul", div.outputs[0], &scale);
    if (factors == nullptr) continue;
    const ValueId scaled = graph.nodes[static_cast<std::size_t>(last)].outputs[0];
    const std::int32_t next = uses.sole_consumer(scaled);
    const Tensor* const offsets = vector_of(graph, next, "Add", scaled, &bias);
    if (offsets != nullptr && offsets->size() == factors->size()) {
      last = next;
    } else {
      bias = kNoValue;
    }
    Node& node = graph.nodes[static_cast<std::size_t>(last)];
    node.op_type = "LayerNormalization";
    node.opset = std::max(node.opset, 17);
    node.inputs = {found->x, scale};
    if (bias != kNoValue) node.inputs.push_back(bias);
    node.attributes = {{"axis", std::int64_t{-1}}, {"epsilon", found->epsilon}};
  }
  return Status::ok();
}

}  // namespace pbatch
