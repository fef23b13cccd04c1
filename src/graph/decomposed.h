// What the passes share that find an operator in the parts that an exporter wrote for it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "graph/graph.h"
#include "graph/rewrite.h"

namespace pbatch {

/// A graph seen from the results. Made once per pass; nodes may change, but not be moved.
class Parts {
 public:
  explicit Parts(const Graph& graph) : graph_(graph), producers_(graph.producers()) {}

  /// The ONNX operator of this type that makes `id`, with one output; else null.
  const Node* made_by(ValueId id, const char* op_type) const {
    if (id == kNoValue) return nullptr;
    const std::int32_t n = producers_[static_cast<std::size_t>(id)];
    if (n < 0) return nullptr;
    const Node& node = graph_.nodes[static_cast<std::size_t>(n)];
    return is_onnx(node, op_type) && node.outputs.size() == 1 ? &node : nullptr;
  }

  /// The value of a float32 constant of one element that widens nothing.
  std::optional<float> scalar(ValueId id) const {
    const Tensor* t = id == kNoValue ? nullptr : graph_.constant(id);
    if (t == nullptr || t->dtype() != DType::f32 || t->size() != 1 || t->rank() > 1) {
      return std::nullopt;
    }
    return *t->data<float>();
  }

  /// What is reduced, if `id` is the mean over the last dimension, which stays as 1.
  std::optional<ValueId> mean_of(ValueId id) const;

  /// Whether `id` is such a constant, near `value`.
  bool is_near(ValueId id, float value) const {
    const std::optional<float> s = scalar(id);
    return s && *s > value - 1e-4F && *s < value + 1e-4F;
  }

  /// Whether `id` is x^2 for this x.
  bool is_square_of(ValueId id, ValueId x) const {
    const Node* const pow = made_by(id, "Pow");
    if (pow != nullptr) return pow->inputs[0] == x && is_near(pow->inputs[1], 2.0F);
    const Node* const mul = made_by(id, "Mul");
    return mul != nullptr && mul->inputs[0] == x && mul->inputs[1] == x;
  }

 private:
  const Graph& graph_;
  std::vector<std::int32_t> producers_;
};

/// The constant float vector of two elements or more at input `i` of a node; else null.
inline const Tensor* constant_vector(const Graph& graph, const Node& node, std::size_t i) {
  const Tensor* const t = float_constant(graph, node, i);
  return t != nullptr && t->rank() == 1 && t->size() >= 2 ? t : nullptr;
}

}  // namespace pbatch
