#include "quantize/balance_channels.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "graph/rewrite.h"
#include "quantize/name_pattern.h"
#include "quantize/quantize_matrix.h"
#include "quantize/row_blocks.h"
#include "quantize/weight_view.h"

namespace pbatch {
namespace {

constexpr double kLeastGainDb = 0.5;
constexpr int kMaxExponent = 8;

enum class LayerKind { linear, conv };

std::optional<LayerKind> kind_of(const Node& node) {
  if (is_pbatch(node, "Linear")) return LayerKind::linear;
  if (is_pbatch(node, "Conv") || is_onnx(node, "Conv")) return LayerKind::conv;
  return std::nullopt;
}

// A layer with constant weights.
struct Layer {
  LayerKind kind = LayerKind::linear;
  const Tensor* weights = nullptr;  // [channel][row] of a Linear, [row][channel][tap] of a Conv
  WeightView view;
  std::vector<std::int32_t> channel_of;  // by column

  std::int64_t taps() const { return view.taps; }
  std::int64_t channels() const { return view.channels(); }
};

std::optional<Layer> layer_of(const Graph& graph, const Node& node) {
  const std::optional<LayerKind> kind = kind_of(node);
  const Tensor* const weights = kind ? float_constant(graph, node, 1) : nullptr;
  if (weights == nullptr || weights->rank() < 2 || weights->size() == 0) return std::nullopt;
  Layer layer{*kind,
              weights,
              *kind == LayerKind::conv ? conv_weight_view(*weights) : weight_view(*weights, true),
              {}};
  for (std::int64_t c = 0; c < layer.view.cols; ++c) {
    layer.channel_of.push_back(static_cast<std::int32_t>(layer.view.order().channel_of(c)));
  }
  return layer;
}

// A layer whose outputs may be scaled row by row: without activation or with Relu.
Result<bool> is_scalable(const Graph& graph, const Node& node) {
  const std::optional<Layer> layer = layer_of(graph, node);
  if (!layer || node.outputs.size() != 1) return false;
  PBATCH_ASSIGN_OR_RETURN(const std::string activation, node.string_attr("activation", ""));
  if (!activation.empty() && activation != "relu") return false;
  if (input_or_none(node, 2) == kNoValue) return true;
  const Tensor* const bias = float_constant(graph, node, 2);
  return bias != nullptr && bias->shape() == Shape{layer->view.rows};
}

bool keeps_scales(const Node& node, LayerKind kind) {
  for (const char* op : {"Relu", "LeakyRelu"}) {
    if (is_onnx(node, op)) return true;
  }
  if (kind == LayerKind::linear) return false;  // its channels are the last axis
  for (const char* op : {"MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool"}) {
    if (is_onnx(node, op)) return true;
  }
  return false;
}

// The layer before node n that nothing else reads; -1 if there is none.
Result<std::int32_t> layer_before(const Graph& graph, const Uses& uses,
                                  const std::vector<std::int32_t>& producers, std::int32_t n,
                                  LayerKind kind) {
  while (true) {
    const ValueId x = input_or_none(graph.nodes[static_cast<std::size_t>(n)], 0);
    if (x == kNoValue || uses.sole_consumer(x) != n) return -1;
    n = producers[static_cast<std::size_t>(x)];
    if (n < 0) return -1;
    const Node& node = graph.nodes[static_cast<std::size_t>(n)];
    if (kind_of(node) == kind) {
      PBATCH_ASSIGN_OR_RETURN(const bool scalable, is_scalable(graph, node));
      return scalable ? n : -1;
    }
    if (!keeps_scales(node, kind) || node.outputs.size() != 1) return -1;
  }
}

using Exponents = std::vector<int>;  // of two, one a channel

// The logarithm of each channel's root mean square, up to a constant, less the mean of them all.
// Channels of zeros, or of numbers that are none, go with the smallest others. Empty if all do.
std::vector<double> relative_sizes(const Layer& layer) {
  const WeightView& view = layer.view;
  std::vector<double> sizes(static_cast<std::size_t>(layer.channels()), 0);
  std::vector<float> rows(static_cast<std::size_t>(kBlockRows * view.cols));
  for_each_row_block(view.rows, nullptr, [&](std::int64_t begin, std::int64_t end) {
    view.copy_rows(begin, end, rows.data());
    for (std::int64_t r = 0; r < end - begin; ++r) {
      const float* w = rows.data() + r * view.cols;
      for (std::int64_t c = 0; c < view.cols; ++c) {
        const auto channel =
            static_cast<std::size_t>(layer.channel_of[static_cast<std::size_t>(c)]);
        sizes[channel] += double{w[c]} * double{w[c]};
      }
    }
  });
  double least = INFINITY, sum = 0;
  for (double& size : sizes) {
    size = size > 0 ? std::log2(size) / 2 : INFINITY;  // infinite: not known
    least = std::min(least, size);
  }
  if (!std::isfinite(least)) return {};
  for (double& size : sizes) sum += size = std::isfinite(size) ? size : least;
  for (double& size : sizes) size -= sum / static_cast<double>(sizes.size());
  return sizes;
}

// A channel's scale is its size to the power `alpha`.
Exponents exponents_of(const std::vector<double>& sizes, double alpha) {
  Exponents exponents;
  for (const double size : sizes) {
    exponents.push_back(static_cast<int>(
        std::clamp<double>(std::round(alpha * size), -kMaxExponent, kMaxExponent)));
  }
  return exponents;
}

// Scales of all columns, as noise_of() wants them.
struct ColumnScales {
  std::vector<float> inverse;  // per column
  std::vector<double> gain;    // per group: the sum of squares

  ColumnScales(const Layer& layer, const Exponents& exponents, std::int64_t group_cols)
      : gain(static_cast<std::size_t>((layer.view.cols + group_cols - 1) / group_cols), 0) {
    for (std::int64_t c = 0; c < layer.view.cols; ++c) {
      const auto channel = static_cast<std::size_t>(layer.channel_of[static_cast<std::size_t>(c)]);
      const int exponent = exponents[channel];
      inverse.push_back(std::ldexp(1.0F, -exponent));
      gain[static_cast<std::size_t>(c / group_cols)] += std::ldexp(1.0, 2 * exponent);
    }
  }
};

// Noise that codes of any one width leave in W x for x of independent elements of equal variance,
// up to a factor: a group's step is its greatest magnitude. For each of `scales`, in one pass.
std::vector<double> noise_of(const WeightView& view, const std::vector<ColumnScales>& scales,
                             std::int64_t group_cols, ThreadPool* pool) {
  std::vector<double> noise(static_cast<std::size_t>(view.rows) * scales.size(), 0);  // of each row
  for_each_row_block(view.rows, pool, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> rows(static_cast<std::size_t>((end - begin) * view.cols));
    view.copy_rows(begin, end, rows.data());
    for (std::int64_t r = begin; r < end; ++r) {
      const float* const w = rows.data() + (r - begin) * view.cols;
      for (std::size_t s = 0; s < scales.size(); ++s) {
        double& sum = noise[static_cast<std::size_t>(r) * scales.size() + s];
        for (std::size_t g = 0; g < scales[s].gain.size(); ++g) {
          const std::int64_t first = static_cast<std::int64_t>(g) * group_cols;
          float greatest = 0;
          for (std::int64_t c = first; c < std::min(view.cols, first + group_cols); ++c) {
            const float magnitude =
                std::fabs(w[c] * scales[s].inverse[static_cast<std::size_t>(c)]);
            greatest = magnitude > greatest ? magnitude : greatest;
          }
          sum += double{greatest} * double{greatest} * scales[s].gain[g];
        }
      }
    }
  });
  std::vector<double> total(scales.size(), 0);
  for (std::size_t i = 0; i < noise.size(); ++i) total[i % total.size()] += noise[i];
  return total;
}

// Empty if nothing is gained.
Exponents best_exponents(const Layer& layer, int group, ThreadPool* pool) {
  const std::vector<double> sizes = relative_sizes(layer);
  if (sizes.empty()) return {};
  const std::int64_t group_cols = group == 0 ? layer.view.cols : group;
  std::vector<Exponents> tried;
  std::vector<ColumnScales> scales;
  for (const double alpha : {0.0, 0.5, 0.75}) {
    tried.push_back(exponents_of(sizes, alpha));
    scales.emplace_back(layer, tried.back(), group_cols);
  }
  const std::vector<double> noise = noise_of(layer.view, scales, group_cols, pool);
  const std::size_t best = noise[2] < noise[1] ? 2 : 1;
  const bool gains = noise[best] < noise[0] * std::pow(10, -kLeastGainDb / 10);
  return gains ? tried[best] : Exponents{};
}

// The tensor with element i times 2^exponent(i).
template <class Exponent>
Result<Tensor> scaled(const Tensor& from, const Exponent& exponent) {
  PBATCH_ASSIGN_OR_RETURN(Tensor to, Tensor::create(DType::f32, from.shape()));
  for (std::int64_t i = 0; i < from.size(); ++i) {
    to.mutable_data<float>()[i] = std::ldexp(from.data<float>()[i], exponent(i));
  }
  return to;
}

bool all_finite(const Tensor& t) {
  return std::all_of(t.data<float>(), t.data<float>() + t.size(),
                     [](float x) { return std::isfinite(x); });
}

// Leaves the pair as it is if a weight would become infinite, or is.
Status scale_pair(Graph& graph, NewConstants& constants, Node& first, Node& second,
                  const Exponents& exponents) {
  const Layer rows = *layer_of(graph, first), columns = *layer_of(graph, second);
  const auto of = [&](std::int64_t channel) {
    return exponents[static_cast<std::size_t>(channel)];
  };
  const bool linear = rows.kind == LayerKind::linear;
  PBATCH_ASSIGN_OR_RETURN(Tensor w1, scaled(*rows.weights, [&](std::int64_t i) {
                            return of(linear ? i % rows.view.rows : i / rows.view.cols);
                          }));
  PBATCH_ASSIGN_OR_RETURN(
      Tensor w2, scaled(*columns.weights, [&](std::int64_t i) {
        return -of(linear ? i / columns.view.rows : i / columns.taps() % columns.channels());
      }));
  if (!all_finite(w1) || !all_finite(w2)) return Status::ok();
  const auto name_of = [&](ValueId id) { return graph.values[static_cast<std::size_t>(id)].name; };
  if (const Tensor* const bias = float_constant(graph, first, 2); bias != nullptr) {
    PBATCH_ASSIGN_OR_RETURN(Tensor b1, scaled(*bias, of));
    if (!all_finite(b1)) return Status::ok();
    first.inputs[2] = constants.add(name_of(first.inputs[2]) + "_balanced", std::move(b1));
  }
  first.inputs[1] = constants.add(name_of(first.inputs[1]) + "_balanced", std::move(w1));
  second.inputs[1] = constants.add(name_of(second.inputs[1]) + "_balanced", std::move(w2));
  return Status::ok();
}

bool is_excluded_from_balance(const Node& node, const BalanceOptions& options) {
  return std::any_of(options.exclude.begin(), options.exclude.end(),
                     [&](const std::string& p) { return matches_pattern(node.name, p); });
}

}  // namespace

Status balance_channels(Graph& graph, const BalanceOptions& options, ThreadPool* pool) {
  const Uses uses(graph);
  const std::vector<std::int32_t> producers = graph.producers();
  NewConstants constants(graph);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    Node& second = graph.nodes[n];
    const std::optional<Layer> layer = layer_of(graph, second);
    if (!layer || layer->weights->size() < options.min_elements) continue;
    if (is_excluded_from_balance(second, options)) continue;
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t conv_groups, second.int_attr("group", 1));
    if (conv_groups != 1) continue;
    PBATCH_ASSIGN_OR_RETURN(
        const std::int32_t before,
        layer_before(graph, uses, producers, static_cast<std::int32_t>(n), layer->kind));
    if (before < 0) continue;
    Node& first = graph.nodes[static_cast<std::size_t>(before)];
    const Layer rows = *layer_of(graph, first);
    if (rows.view.rows != layer->channels()) continue;
    const auto is_shared = [&](const Layer& l) {
      return options.census != nullptr && options.census->is_shared(l.view, pool);
    };
    if (is_shared(rows) || is_shared(*layer)) continue;
    const int group = group_for(options.group, layer->weights->size());
    const Exponents exponents = best_exponents(*layer, group, pool);
    if (exponents.empty()) continue;
    PBATCH_RETURN_IF_ERROR(scale_pair(graph, constants, first, second, exponents));
  }
  return Status::ok();
}

}  // namespace pbatch
