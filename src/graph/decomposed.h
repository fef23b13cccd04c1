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

  /// Whether `id` is such a constant, near `value`.
  bool is_near(ValueId id, float value) const {
    const std::optional<float> s = scalar(id);
    return s && *s > value - 1e-4F && *s < value + 1e-4F;
  }

 private:
  const Graph& graph_;
  std::vector<std::int32_t> producers_;
};

}  // namespace pbatch
