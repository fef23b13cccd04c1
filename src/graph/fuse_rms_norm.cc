#include <cstdint>
#include <optional>

#include "graph/decomposed.h"
#include "graph/passes.h"
#include "graph/subgraphs.h"

namespace pbatch {
namespace {

// epsilon, if `id` is mean(x^2) + epsilon.
std::optional<float> mean_square_of(const Parts& parts, ValueId id, ValueId x) {
  const Node* const sum = parts.made_by(id, "Add");
  if (sum == nullptr || sum->inputs.size() != 2) return std::nullopt;
  for (const std::size_t i : {0, 1}) {
    const auto epsilon = parts.scalar(sum->inputs[1 - i]);
    const auto mean = parts.mean_of(sum->inputs[i]);
    if (epsilon && mean && parts.is_square_of(*mean, x)) return epsilon;
  }
  return std::nullopt;
}

// epsilon, if `id` is sqrt(mean(x^2) + epsilon).
std::optional<float> root_of(const Parts& parts, ValueId id, ValueId x) {
  const Node* const root = parts.made_by(id, "Sqrt");
  return root != nullptr ? mean_square_of(parts, root->inputs[0], x) : std::nullopt;
}

// epsilon, if `id` is one over that.
std::optional<float> inverse_root_of(const Parts& parts, ValueId id, ValueId x) {
  if (const Node* const one = parts.made_by(id, "Reciprocal"); one != nullptr) {
    return root_of(parts, one->inputs[0], x);
  }
  if (const Node* const div = parts.made_by(id, "Div"); div != nullptr) {
    return parts.is_near(div->inputs[0], 1.0F) ? root_of(parts, div->inputs[1], x) : std::nullopt;
  }
  const Node* const pow = parts.made_by(id, "Pow");
  if (pow == nullptr || !parts.is_near(pow->inputs[1], -0.5F)) return std::nullopt;
  return mean_square_of(parts, pow->inputs[0], x);
}

struct Found {
  ValueId x = kNoValue;
  float epsilon = 0;
};

// x / sqrt(mean(x^2) + epsilon), if that is `id`.
std::optional<Found> normalized_by_root(const Parts& parts, ValueId id) {
  if (const Node* const div = parts.made_by(id, "Div"); div != nullptr) {
    const auto epsilon = root_of(parts, div->inputs[1], div->inputs[0]);
    return epsilon ? std::optional(Found{div->inputs[0], *epsilon}) : std::nullopt;
  }
  const Node* const mul = parts.made_by(id, "Mul");
  if (mul == nullptr || mul->inputs.size() != 2) return std::nullopt;
  for (const std::size_t i : {0, 1}) {
    const auto epsilon = inverse_root_of(parts, mul->inputs[1 - i], mul->inputs[i]);
    if (epsilon) return Found{mul->inputs[i], *epsilon};
  }
  return std::nullopt;
}

}  // namespace

Status fuse_rms_norm(Graph& graph) {
  PBATCH_RETURN_IF_ERROR(change_subgraphs(graph, fuse_rms_norm));
  const Parts parts(graph);
  const Uses uses(graph);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    Node& node = graph.nodes[n];
    if (!is_onnx(node, "Mul") || node.inputs.size() != 2 || node.outputs.size() != 1) continue;
    for (const std::size_t i : {0, 1}) {
      const ValueId made = node.inputs[i], scale = node.inputs[1 - i];
      if (constant_vector(graph, node, 1 - i) == nullptr) continue;
      if (uses.sole_consumer(made) != static_cast<std::int32_t>(n)) continue;
      const std::optional<Found> found = normalized_by_root(parts, made);
      if (!found) continue;
      make_pbatch(graph, node, "RmsNormalization");
      node.inputs = {found->x, scale};
      node.attributes = {{"epsilon", found->epsilon}};
      break;
    }
  }
  return Status::ok();
}

}  // namespace pbatch
