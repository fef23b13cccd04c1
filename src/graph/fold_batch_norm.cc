#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "graph/make_linear.h"
#include "graph/passes.h"
#include "graph/rewrite.h"
#include "graph/subgraphs.h"

namespace pbatch {
namespace {

// A batch normalization in inference form: y = scale x + shift, per channel.
struct Affine {
  std::vector<double> scale, shift;
  std::int64_t channels() const { return static_cast<std::int64_t>(scale.size()); }
};

Result<bool> is_inference(const Node& node, const Uses& uses) {
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t training, node.int_attr("training_mode", 0));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t spatial, node.int_attr("spatial", 1));
  // Before opset 14, running statistics among the outputs mean training.
  for (std::size_t i = 1; i < node.outputs.size(); ++i) {
    if (node.outputs[i] != kNoValue && uses.is_used(node.outputs[i])) return false;
  }
  return training == 0 && spatial != 0 && input_or_none(node, 0) != kNoValue &&
         !node.outputs.empty() && node.outputs[0] != kNoValue;
}

// None if a parameter is computed at run time or the result is not finite.
Result<std::optional<Affine>> affine_of(const Graph& graph, const Node& node) {
  std::array<const Tensor*, 4> parameters{};  // gamma, beta, mean, variance
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    parameters[i] = float_constant(graph, node, i + 1);
    if (parameters[i] == nullptr || parameters[i]->rank() != 1 ||
        parameters[i]->size() != parameters[0]->size()) {
      return std::optional<Affine>();
    }
  }
  PBATCH_ASSIGN_OR_RETURN(const float epsilon, node.float_attr("epsilon", 1e-5f));
  Affine affine;
  for (std::int64_t c = 0; c < parameters[0]->size(); ++c) {
    const auto at = [&](std::size_t i) { return double{parameters[i]->data<float>()[c]}; };
    const double scale = at(0) / std::sqrt(at(3) + double{epsilon});
    const double shift = at(1) - at(2) * scale;
    if (!std::isfinite(scale) || !std::isfinite(shift)) return std::optional<Affine>();
    affine.scale.push_back(scale);
    affine.shift.push_back(shift);
  }
  return std::optional<Affine>(std::move(affine));
}

// True if the channel axis of the normalization is the axis along which the
// layer's weights belong to one output: always so for Conv, and for matrices of outputs.
bool fits(const Graph& graph, const KnownRanks& ranks, const Node& layer, std::int64_t channels) {
  const Tensor* weights = float_constant(graph, layer, 1);
  if (weights == nullptr || layer.outputs.size() != 1) return false;
  const bool conv = is_onnx(layer, "Conv") && weights->rank() >= 3 && weights->dim(0) == channels;
  const bool linear = is_pbatch(layer, "Linear") && weights->rank() == 2 &&
                      weights->dim(1) == channels && !layer.has_attr("activation") &&
                      ranks.of(layer.outputs[0]) == 2U;
  if (!conv && !linear) return false;
  if (input_or_none(layer, 2) == kNoValue) return true;
  const Tensor* bias = float_constant(graph, layer, 2);
  return bias != nullptr && bias->shape() == Shape{channels};
}

Status fold(Graph& graph, NewConstants& constants, Node& layer, const Affine& affine) {
  const std::int64_t channels = affine.channels();
  const Tensor& weights = *float_constant(graph, layer, 1);
  const Tensor* bias = float_constant(graph, layer, 2);
  PBATCH_ASSIGN_OR_RETURN(Tensor new_weights, Tensor::create(DType::f32, weights.shape()));
  PBATCH_ASSIGN_OR_RETURN(Tensor new_bias, Tensor::create(DType::f32, {channels}));
  // Conv keeps the weights of one output together, a Linear keeps them `channels` apart.
  const std::int64_t run = layer.op_type == "Conv" && channels != 0 ? weights.size() / channels : 1;
  for (std::int64_t i = 0; i < weights.size(); ++i) {
    const auto c = static_cast<std::size_t>(i / run % channels);
    new_weights.mutable_data<float>()[i] =
        static_cast<float>(affine.scale[c] * double{weights.data<float>()[i]});
  }
  for (std::int64_t i = 0; i < channels; ++i) {
    const auto c = static_cast<std::size_t>(i);
    const double before = bias != nullptr ? double{bias->data<float>()[i]} : 0.0;
    new_bias.mutable_data<float>()[i] =
        static_cast<float>(affine.scale[c] * before + affine.shift[c]);
  }
  const std::string name = graph.values[static_cast<std::size_t>(layer.inputs[1])].name;
  const ValueId weights_id = constants.add(name + "_folded", std::move(new_weights));
  const ValueId bias_id = constants.add(name + "_folded_bias", std::move(new_bias));
  layer.inputs = {layer.inputs[0], weights_id, bias_id};
  return Status::ok();
}

Status fold_all(Graph& graph, const KnownRanks& ranks) {
  for (Node& node : graph.nodes) {
    PBATCH_RETURN_IF_ERROR(change_subgraphs(node, [&](Graph& subgraph) {
      return fold_all(subgraph, ranks.of_subgraph(node, subgraph));
    }));
  }
  PBATCH_RETURN_IF_ERROR(make_linear(graph, ranks));
  const Uses uses(graph);
  NewConstants constants(graph);
  std::vector<std::int32_t> producers = graph.producers();
  std::vector<bool> dead(graph.nodes.size(), false);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& norm = graph.nodes[n];
    if (!is_onnx(norm, "BatchNormalization")) continue;
    PBATCH_ASSIGN_OR_RETURN(const bool inference, is_inference(norm, uses));
    if (!inference) continue;
    const std::int32_t before = producers[static_cast<std::size_t>(norm.inputs[0])];
    if (before < 0 || uses.sole_consumer(norm.inputs[0]) != static_cast<std::int32_t>(n)) continue;
    PBATCH_ASSIGN_OR_RETURN(const std::optional<Affine> affine, affine_of(graph, norm));
    Node& layer = graph.nodes[static_cast<std::size_t>(before)];
    if (!affine || !fits(graph, ranks, layer, affine->channels())) continue;
    PBATCH_RETURN_IF_ERROR(fold(graph, constants, layer, *affine));
    layer.outputs[0] = norm.outputs[0];
    producers[static_cast<std::size_t>(norm.outputs[0])] = before;
    dead[n] = true;
  }
  erase_nodes(graph, dead);
  return Status::ok();
}

}  // namespace

Status fold_batch_norm(Graph& graph) { return fold_all(graph, KnownRanks::of_network(graph)); }

}  // namespace pbatch
