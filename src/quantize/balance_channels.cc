#include "quantize/balance_channels.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "graph/rewrite.h"
#include "quantize/name_pattern.h"
#include "quantize/quantize_matrix.h"

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

// The weights of a layer as W[row][channel][tap]; a Linear's are stored [channel][row].
struct Weights {
  LayerKind kind = LayerKind::linear;
  const Tensor* tensor = nullptr;
  std::int64_t rows = 0, channels = 0, taps = 1;

  float at(std::int64_t row, std::int64_t channel, std::int64_t tap) const {
    const float* w = tensor->data<float>();
    return kind == LayerKind::linear ? w[channel * rows + row]
                                     : w[(row * channels + channel) * taps + tap];
  }
};

std::optional<Weights> weights_of(const Graph& graph, const Node& node) {
  const std::optional<LayerKind> kind = kind_of(node);
  const Tensor* const tensor = kind ? float_constant(graph, node, 1) : nullptr;
  if (tensor == nullptr || tensor->rank() < 2 || tensor->size() == 0) return std::nullopt;
  const float* const w = tensor->data<float>();
  if (!std::all_of(w, w + tensor->size(), [](float x) { return std::isfinite(x); })) {
    return std::nullopt;
  }
  if (*kind == LayerKind::linear) {
    return Weights{*kind, tensor, tensor->dim(1), tensor->dim(0), 1};
  }
  const std::int64_t rows = tensor->dim(0), channels = tensor->dim(1);
  return Weights{*kind, tensor, rows, channels, tensor->size() / (rows * channels)};
}

// A layer whose outputs may be scaled row by row: without activation or with Relu.
Result<bool> is_scalable(const Graph& graph, const Node& node) {
  const std::optional<Weights> weights = weights_of(graph, node);
  if (!weights || node.outputs.size() != 1) return false;
  PBATCH_ASSIGN_OR_RETURN(const std::string activation, node.string_attr("activation", ""));
  if (!activation.empty() && activation != "relu") return false;
  if (input_or_none(node, 2) == kNoValue) return true;
  const Tensor* const bias = float_constant(graph, node, 2);
  return bias != nullptr && bias->shape() == Shape{weights->rows};
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

// Exponents of two, one a channel: its root mean square to the power `alpha`.
std::vector<int> exponents_of(const Weights& w, double alpha) {
  std::vector<double> log_rms;
  double sum = 0;
  for (std::int64_t c = 0; c < w.channels; ++c) {
    double squares = 0;
    for (std::int64_t r = 0; r < w.rows; ++r) {
      for (std::int64_t t = 0; t < w.taps; ++t) squares += std::pow(double{w.at(r, c, t)}, 2);
    }
    log_rms.push_back(squares > 0 ? std::log2(squares) / 2 : -INFINITY);
  }
  // Channels of zeros go with the smallest others.
  double least = INFINITY;
  for (const double x : log_rms) least = std::isfinite(x) ? std::min(least, x) : least;
  if (!std::isfinite(least)) return std::vector<int>(log_rms.size(), 0);
  for (double& x : log_rms) sum += x = std::max(x, least);
  const double mean = sum / static_cast<double>(log_rms.size());
  std::vector<int> exponents;
  for (const double x : log_rms) {
    const double exponent = std::round(alpha * (x - mean));
    exponents.push_back(
        static_cast<int>(std::clamp<double>(exponent, -kMaxExponent, kMaxExponent)));
  }
  return exponents;
}

// Noise that codes of any one width leave in W x for x of independent elements of equal variance,
// up to a factor: a group's step is its greatest magnitude.
double noise_of(const Weights& w, const std::vector<int>& exponents, int group) {
  const std::int64_t cols = w.channels * w.taps, group_cols = group == 0 ? cols : group;
  double noise = 0;
  for (std::int64_t r = 0; r < w.rows; ++r) {
    for (std::int64_t begin = 0; begin < cols; begin += group_cols) {
      double greatest = 0, gains = 0;
      for (std::int64_t i = begin; i < std::min(cols, begin + group_cols); ++i) {
        const double scale = std::ldexp(1, exponents[static_cast<std::size_t>(i / w.taps)]);
        greatest = std::max(greatest, std::fabs(w.at(r, i / w.taps, i % w.taps)) / scale);
        gains += scale * scale;
      }
      noise += greatest * greatest * gains;
    }
  }
  return noise;
}

// Empty if nothing is gained.
std::vector<int> best_exponents(const Weights& w, int group) {
  const std::vector<int> none(static_cast<std::size_t>(w.channels), 0);
  const double before = noise_of(w, none, group);
  double least = before * std::pow(10, -kLeastGainDb / 10);
  std::vector<int> best;
  for (const double alpha : std::array{0.5, 0.75}) {
    std::vector<int> exponents = exponents_of(w, alpha);
    const double noise = noise_of(w, exponents, group);
    if (noise > least || noise >= before) continue;
    least = noise;
    best = std::move(exponents);
  }
  return best;
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

Status scale_pair(Graph& graph, NewConstants& constants, Node& first, Node& second,
                  const std::vector<int>& exponents) {
  const Weights rows = *weights_of(graph, first), columns = *weights_of(graph, second);
  const auto of = [&](std::int64_t channel) {
    return exponents[static_cast<std::size_t>(channel)];
  };
  const std::int64_t row_size = rows.channels * rows.taps;
  PBATCH_ASSIGN_OR_RETURN(
      Tensor w1, scaled(*rows.tensor, [&](std::int64_t i) {
        return of(rows.kind == LayerKind::linear ? i % rows.rows : i / row_size);
      }));
  PBATCH_ASSIGN_OR_RETURN(Tensor w2, scaled(*columns.tensor, [&](std::int64_t i) {
                            return -of(columns.kind == LayerKind::linear
                                           ? i / columns.rows
                                           : i / columns.taps % columns.channels);
                          }));
  const auto name_of = [&](ValueId id) { return graph.values[static_cast<std::size_t>(id)].name; };
  if (const Tensor* const bias = float_constant(graph, first, 2); bias != nullptr) {
    PBATCH_ASSIGN_OR_RETURN(Tensor b1, scaled(*bias, of));
    first.inputs[2] = constants.add(name_of(first.inputs[2]) + "_balanced", std::move(b1));
  }
  first.inputs[1] = constants.add(name_of(first.inputs[1]) + "_balanced", std::move(w1));
  second.inputs[1] = constants.add(name_of(second.inputs[1]) + "_balanced", std::move(w2));
  return Status::ok();
}

bool is_excluded(const Node& node, const BalanceOptions& options) {
  return std::any_of(options.exclude.begin(), options.exclude.end(),
                     [&](const std::string& p) { return matches_pattern(node.name, p); });
}

}  // namespace

Status balance_channels(Graph& graph, const BalanceOptions& options) {
  const Uses uses(graph);
  const std::vector<std::int32_t> producers = graph.producers();
  NewConstants constants(graph);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    Node& second = graph.nodes[n];
    const std::optional<Weights> weights = weights_of(graph, second);
    if (!weights || weights->tensor->size() < options.min_elements) continue;
    if (is_excluded(second, options)) continue;
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t conv_groups, second.int_attr("group", 1));
    if (conv_groups != 1) continue;
    PBATCH_ASSIGN_OR_RETURN(
        const std::int32_t before,
        layer_before(graph, uses, producers, static_cast<std::int32_t>(n), weights->kind));
    if (before < 0) continue;
    Node& first = graph.nodes[static_cast<std::size_t>(before)];
    if (weights_of(graph, first)->rows != weights->channels) continue;
    const std::vector<int> exponents =
        best_exponents(*weights, group_for(options.group, weights->tensor->size()));
    if (exponents.empty()) continue;
    PBATCH_RETURN_IF_ERROR(scale_pair(graph, constants, first, second, exponents));
  }
  return Status::ok();
}

}  // namespace pbatch
