#include <cmath>
#include <cstdint>
#include <optional>
#include <vector>

#include "graph/passes.h"
#include "graph/rewrite.h"
#include "graph/subgraphs.h"

namespace pbatch {
namespace {

constexpr int kGeluOpset = 20, kSwishOpset = 24, kHardSwishOpset = 14;

class ActivationFuser {
 public:
  explicit ActivationFuser(Graph& graph)
      : graph_(graph),
        uses_(graph),
        producers_(graph.producers()),
        dead_(graph.nodes.size(), false) {}

  void run() {
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      if (!dead_[n] && is_onnx(graph_.nodes[n], "Mul")) fuse_swish(n);
      if (!dead_[n] && is_onnx(graph_.nodes[n], "Erf")) fuse_gelu(n);
      if (!dead_[n] && is_onnx(graph_.nodes[n], "Clip")) fuse_hard_swish(n);
    }
    erase_nodes(graph_, dead_);
  }

 private:
  struct Operand {
    std::size_t node;
    ValueId other;  // the other input
  };

  // The node of two inputs that alone reads `id`, once.
  std::optional<Operand> consumer(ValueId id, const char* op_type) const {
    const std::int32_t n = uses_.sole_consumer(id);
    if (n < 0) return std::nullopt;
    const Node& node = graph_.nodes[static_cast<std::size_t>(n)];
    if (!is_onnx(node, op_type) || node.inputs.size() != 2 || node.outputs.size() != 1) {
      return std::nullopt;
    }
    return Operand{static_cast<std::size_t>(n), node.inputs[node.inputs[0] == id ? 1 : 0]};
  }

  bool is_scalar(ValueId id, double value) const {
    const Tensor* c = id == kNoValue ? nullptr : graph_.constant(id);
    return c != nullptr && c->dtype() == DType::f32 && c->rank() == 0 &&
           std::fabs(static_cast<double>(c->data<float>()[0]) - value) <= 1e-6 * std::fabs(value);
  }

  void fuse_swish(std::size_t n) {
    Node& mul = graph_.nodes[n];
    if (mul.inputs.size() != 2) return;
    for (std::size_t i = 0; i < 2; ++i) {
      const std::int32_t p = producers_[static_cast<std::size_t>(mul.inputs[i])];
      if (p < 0 || uses_.sole_consumer(mul.inputs[i]) != static_cast<std::int32_t>(n)) continue;
      const Node& sigmoid = graph_.nodes[static_cast<std::size_t>(p)];
      if (!is_onnx(sigmoid, "Sigmoid") || sigmoid.inputs[0] != mul.inputs[1 - i]) continue;
      dead_[static_cast<std::size_t>(p)] = true;
      become(mul, "Swish", kSwishOpset, sigmoid.inputs[0]);
      return;
    }
  }

  // x where the node computes x / sqrt(2).
  std::optional<ValueId> scaled(const Node& node) const {
    if (node.inputs.size() != 2) return std::nullopt;
    if (is_onnx(node, "Div") && is_scalar(node.inputs[1], std::sqrt(2.0))) return node.inputs[0];
    if (!is_onnx(node, "Mul")) return std::nullopt;
    for (std::size_t i = 0; i < 2; ++i) {
      if (is_scalar(node.inputs[i], std::sqrt(0.5))) return node.inputs[1 - i];
    }
    return std::nullopt;
  }

  // The node that makes x / 2 of x, if nothing else reads that.
  bool is_half_of(ValueId id, ValueId x, std::size_t reader) const {
    const std::int32_t p = id == kNoValue ? -1 : producers_[static_cast<std::size_t>(id)];
    if (p < 0 || uses_.sole_consumer(id) != static_cast<std::int32_t>(reader)) return false;
    const Node& node = graph_.nodes[static_cast<std::size_t>(p)];
    if (!is_onnx(node, "Mul") || node.inputs.size() != 2) return false;
    return (node.inputs[0] == x && is_scalar(node.inputs[1], 0.5)) ||
           (node.inputs[1] == x && is_scalar(node.inputs[0], 0.5));
  }

  void fuse_gelu(std::size_t n) {
    const Node& erf = graph_.nodes[n];
    const std::int32_t before = producers_[static_cast<std::size_t>(erf.inputs[0])];
    if (before < 0 || uses_.sole_consumer(erf.inputs[0]) != static_cast<std::int32_t>(n)) return;
    const std::optional<ValueId> x = scaled(graph_.nodes[static_cast<std::size_t>(before)]);
    if (!x) return;
    const std::optional<Operand> add = consumer(erf.outputs[0], "Add");
    if (!add || !is_scalar(add->other, 1.0)) return;
    const ValueId sum = graph_.nodes[add->node].outputs[0];
    const std::optional<Operand> first = consumer(sum, "Mul");
    if (!first) return;
    std::vector<std::size_t> parts{static_cast<std::size_t>(before), n, add->node};
    std::size_t last = first->node;
    if (is_half_of(first->other, *x, first->node)) {
      parts.push_back(static_cast<std::size_t>(producers_[static_cast<std::size_t>(first->other)]));
    } else {
      const std::optional<Operand> second = consumer(graph_.nodes[first->node].outputs[0], "Mul");
      if (!second) return;
      const bool half_last = first->other == *x && is_scalar(second->other, 0.5);
      const bool half_first = second->other == *x && is_scalar(first->other, 0.5);
      if (!half_last && !half_first) return;
      parts.push_back(first->node);
      last = second->node;
    }
    for (const std::size_t part : parts) dead_[part] = true;
    become(graph_.nodes[last], "Gelu", kGeluOpset, *x);
  }

  // x * Clip(x + 3, 0, 6) / 6, the bounds as inputs or, before opset 11, attributes.
  void fuse_hard_swish(std::size_t n) {
    const Node& clip = graph_.nodes[n];
    if (!is_bound(clip, 1, "min", 0) || !is_bound(clip, 2, "max", 6)) return;
    const ValueId sum = clip.inputs[0];
    const std::int32_t before = producers_[static_cast<std::size_t>(sum)];
    if (before < 0 || uses_.sole_consumer(sum) != static_cast<std::int32_t>(n)) return;
    const Node& add = graph_.nodes[static_cast<std::size_t>(before)];
    if (!is_onnx(add, "Add") || add.inputs.size() != 2) return;
    const bool first = is_scalar(add.inputs[1], 3);
    if (!first && !is_scalar(add.inputs[0], 3)) return;
    const ValueId x = add.inputs[first ? 0 : 1];
    const std::optional<Operand> product = consumer(clip.outputs[0], "Mul");
    if (!product || product->other != x) return;
    const ValueId sixfold = graph_.nodes[product->node].outputs[0];
    std::optional<Operand> last = consumer(sixfold, "Div");
    const bool divides =
        last && is_scalar(last->other, 6) && graph_.nodes[last->node].inputs[0] == sixfold;
    if (!divides) {
      last = consumer(sixfold, "Mul");
      if (!last || !is_scalar(last->other, 1.0 / 6)) return;
    }
    for (const std::size_t part : {static_cast<std::size_t>(before), n, product->node}) {
      dead_[part] = true;
    }
    become(graph_.nodes[last->node], "HardSwish", kHardSwishOpset, x);
  }

  bool is_bound(const Node& clip, std::size_t i, const char* name, double value) const {
    if (i < clip.inputs.size()) return is_scalar(clip.inputs[i], value);
    const Result<float> bound = clip.float_attr(name, -1.0F);
    return bound && *bound == static_cast<float>(value);
  }

  static void become(Node& node, const char* op_type, int opset, ValueId x) {
    node.op_type = op_type;
    node.opset = opset;
    node.inputs = {x};
  }

  Graph& graph_;
  const Uses uses_;
  const std::vector<std::int32_t> producers_;
  std::vector<bool> dead_;
};

}  // namespace

Status fuse_activations(Graph& graph) {
  PBATCH_RETURN_IF_ERROR(change_subgraphs(graph, fuse_activations));
  ActivationFuser(graph).run();
  return Status::ok();
}

}  // namespace pbatch
