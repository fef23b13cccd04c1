#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "graph/onnx_dtype.h"
#include "graph/passes.h"
#include "graph/rewrite.h"
#include "graph/subgraphs.h"

namespace pbatch {
namespace {

// A Conv or a product with a constant matrix on its right.
struct Layer {
  bool conv = false;
  std::int64_t channels = 0;
  std::size_t rank = 0;  // of the weights; of a Conv's result too
};

std::optional<Layer> layer_of(const Graph& graph, const Node& node) {
  const Tensor* w = float_constant(graph, node, 1);
  if (w == nullptr || node.outputs.size() != 1 || node.outputs[0] == kNoValue) return std::nullopt;
  if (is_onnx(node, "Conv") && w->rank() >= 3) return Layer{true, w->dim(0), w->rank()};
  if (is_onnx(node, "MatMul") && w->rank() == 2) return Layer{false, w->dim(1), w->rank()};
  return std::nullopt;
}

// Whether the constant holds one number, or one per channel, and broadcasting it to the
// layer's result changes no shape. Of a product nothing but the last dimension is known.
bool is_per_channel(const Tensor& c, const Layer& layer) {
  if (c.rank() > (layer.conv ? layer.rank : 1)) return false;
  if (c.size() == 1) return true;
  if (c.size() != layer.channels) return false;
  if (!layer.conv) return c.rank() == 1;
  return c.rank() + 1 >= layer.rank && c.dim(c.rank() + 1 - layer.rank) == layer.channels;
}

// The same of a constant beside a result of `rank` dimensions, whose channels are the last one.
bool is_per_last(const Tensor& c, const Layer& layer, std::size_t rank) {
  if (c.rank() > rank) return false;
  return c.size() == 1 || (c.size() == layer.channels && c.dim(c.rank() - 1) == layer.channels);
}

class ScaleFolder {
 public:
  explicit ScaleFolder(Graph& graph)
      : graph_(graph), uses_(graph), constants_(graph), dead_(graph.nodes.size(), false) {}

  Status run() {
    for (Node& node : graph_.nodes) {
      const std::optional<Layer> layer = layer_of(graph_, node);
      if (!layer) continue;
      bool more = true;
      while (more) {
        PBATCH_ASSIGN_OR_RETURN(more, take_next(node, *layer));
      }
    }
    erase_nodes(graph_, dead_);
    return Status::ok();
  }

 private:
  // Takes over the one node that reads the layer's result, if it can: behind a Transpose that moves
  // the channels of a Conv last, too, and a Squeeze of other dimensions behind that.
  Result<bool> take_next(Node& node, const Layer& layer) {
    std::int32_t n = uses_.sole_consumer(node.outputs[0]);
    if (n < 0) return false;
    Node* before = &node;
    std::size_t rank = 0;  // of a result whose channels are its last dimension
    if (layer.conv && is_onnx(node_at(n), "Transpose")) {
      before = &node_at(n);
      PBATCH_ASSIGN_OR_RETURN(const std::vector<std::int64_t> perm, before->ints_attr("perm", {}));
      if (!moves_channels_last(perm, layer.rank) || before->outputs.size() != 1) return false;
      n = uses_.sole_consumer(before->outputs[0]);
      rank = layer.rank;
      const std::size_t squeezed = n < 0 ? 0 : squeezed_before_last(node_at(n), rank);
      if (squeezed > 0) {
        rank -= squeezed;
        before = &node_at(n);
        n = uses_.sole_consumer(before->outputs[0]);
      }
    }
    return n < 0 ? Result<bool>(false) : take(node, layer, *before, n, rank);
  }

  Node& node_at(std::int32_t n) { return graph_.nodes[static_cast<std::size_t>(n)]; }

  // How many named dimensions, not the last one of `rank`, the node squeezes; 0 if it does not.
  std::size_t squeezed_before_last(const Node& node, std::size_t rank) const {
    if (!is_onnx(node, "Squeeze") || node.outputs.size() != 1) return 0;
    std::vector<std::int64_t> axes;
    const Tensor* const input = graph_.constant(input_or_none(node, 1));
    if (input != nullptr && input->dtype() == DType::i64) {
      axes.assign(input->span<std::int64_t>().begin(), input->span<std::int64_t>().end());
    } else if (const Result<std::vector<std::int64_t>> named = node.ints_attr("axes", {})) {
      axes = *named;
    }
    const bool last = std::any_of(axes.begin(), axes.end(), [&](std::int64_t axis) {
      return axis == -1 || axis == static_cast<std::int64_t>(rank) - 1;
    });
    return last ? 0 : axes.size();
  }

  static bool moves_channels_last(const std::vector<std::int64_t>& perm, std::size_t rank) {
    if (perm.size() != rank || perm[0] != 0 || perm[rank - 1] != 1) return false;
    for (std::size_t d = 1; d + 1 < rank; ++d) {
      if (perm[d] != static_cast<std::int64_t>(d) + 1) return false;
    }
    return true;
  }

  // Takes over node n, which reads output 0 of `before`: the layer, or what moved its channels last
  // of `last_of` dimensions; else that is 0.
  Result<bool> take(Node& node, const Layer& layer, Node& before, std::int32_t n,
                    std::size_t last_of) {
    const Node& next = graph_.nodes[static_cast<std::size_t>(n)];
    PBATCH_ASSIGN_OR_RETURN(const bool is_nothing, casts_to_float(next));
    if (is_nothing) {
      replace(before, n);
      return true;
    }
    const bool divides = is_onnx(next, "Div"), subtracts = is_onnx(next, "Sub") && layer.conv;
    const bool scales = is_onnx(next, "Mul") || divides;
    const bool adds = (is_onnx(next, "Add") && layer.conv) || subtracts;
    if ((!scales && !adds) || next.inputs.size() != 2 || next.outputs.size() != 1) return false;
    const bool first = next.inputs[0] == before.outputs[0];
    if (!first && (divides || subtracts)) return false;
    const Tensor* c = float_constant(graph_, next, first ? 1 : 0);
    if (c == nullptr) return false;
    if (!(last_of > 0 ? is_per_last(*c, layer, last_of) : is_per_channel(*c, layer))) return false;
    const Tensor* bias = float_constant(graph_, node, 2);
    const bool has_bias = input_or_none(node, 2) != kNoValue;
    if (has_bias && (bias == nullptr || bias->shape() != Shape{layer.channels})) return false;
    PBATCH_ASSIGN_OR_RETURN(Tensor constant, Tensor::create(DType::f32, c->shape()));
    for (std::int64_t k = 0; k < c->size(); ++k) {
      const float value = c->data<float>()[k];
      constant.mutable_data<float>()[k] = divides ? 1.0F / value : subtracts ? -value : value;
      if (!std::isfinite(constant.data<float>()[k])) return false;
    }
    if (scales) {
      PBATCH_RETURN_IF_ERROR(scale(node, 1, layer, constant));
      if (has_bias) PBATCH_RETURN_IF_ERROR(scale(node, 2, layer, constant));
    } else {
      PBATCH_RETURN_IF_ERROR(add(node, layer, constant));
    }
    replace(before, n);
    return true;
  }

  // Results of layers are float32 already.
  static Result<bool> casts_to_float(const Node& node) {
    if (!is_onnx(node, "Cast") || node.outputs.size() != 1) return false;
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t to, node.int_attr("to", 0));
    return to == dtype_to_onnx(DType::f32);
  }

  void replace(Node& before, std::int32_t n) {
    before.outputs[0] = graph_.nodes[static_cast<std::size_t>(n)].outputs[0];
    dead_[static_cast<std::size_t>(n)] = true;
  }

  // The constant at input i, times the constant of its channel.
  Status scale(Node& node, std::size_t i, const Layer& layer, const Tensor& c) {
    const Tensor from = *graph_.constant(node.inputs[i]);
    const std::int64_t run = layer.conv && i == 1 && layer.channels != 0
                                 ? from.size() / layer.channels
                                 : 1;  // elements of one channel side by side
    PBATCH_ASSIGN_OR_RETURN(Tensor to, Tensor::create(DType::f32, from.shape()));
    for (std::int64_t k = 0; k < from.size(); ++k) {
      to.mutable_data<float>()[k] = from.data<float>()[k] * at(c, k / run % layer.channels);
    }
    const std::string name = graph_.values[static_cast<std::size_t>(node.inputs[i])].name;
    node.inputs[i] = constants_.add(name + "_scaled", std::move(to));
    return Status::ok();
  }

  Status add(Node& node, const Layer& layer, const Tensor& c) {
    const Tensor* bias = float_constant(graph_, node, 2);
    PBATCH_ASSIGN_OR_RETURN(Tensor to, Tensor::create(DType::f32, {layer.channels}));
    for (std::int64_t k = 0; k < layer.channels; ++k) {
      to.mutable_data<float>()[k] = (bias != nullptr ? bias->data<float>()[k] : 0.0F) + at(c, k);
    }
    node.inputs.resize(2);
    node.inputs.push_back(constants_.add(node.name + "_bias", std::move(to)));
    return Status::ok();
  }

  static float at(const Tensor& c, std::int64_t channel) {
    return c.data<float>()[c.size() == 1 ? 0 : channel];
  }

  Graph& graph_;
  const Uses uses_;
  NewConstants constants_;
  std::vector<bool> dead_;
};

}  // namespace

Status fold_scale(Graph& graph) {
  PBATCH_RETURN_IF_ERROR(change_subgraphs(graph, fold_scale));
  return ScaleFolder(graph).run();
}

}  // namespace pbatch
