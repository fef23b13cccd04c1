#include "graph/known_ranks.h"

#include <algorithm>
#include <string_view>

#include "graph/rewrite.h"
#include "graph/subgraphs.h"

namespace pbatch {
namespace {

using Rank = std::optional<std::size_t>;

// Operators whose outputs have the rank of their first input.
constexpr std::string_view kKeepRank[] = {"Abs",
                                          "AveragePool",
                                          "BatchNormalization",
                                          "Cast",
                                          "Ceil",
                                          "Clip",
                                          "Concat",
                                          "Conv",
                                          "CumSum",
                                          "Dropout",
                                          "Elu",
                                          "Erf",
                                          "Exp",
                                          "Floor",
                                          "Gelu",
                                          "GlobalAveragePool",
                                          "HardSwish",
                                          "GroupNormalization",
                                          "HardSigmoid",
                                          "GlobalMaxPool",
                                          "Identity",
                                          "LeakyRelu",
                                          "LayerNormalization",
                                          "InstanceNormalization",
                                          "Log",
                                          "LogSoftmax",
                                          "MaxPool",
                                          "Neg",
                                          "Not",
                                          "PRelu",
                                          "Pad",
                                          "Reciprocal",
                                          "Relu",
                                          "Round",
                                          "Selu",
                                          "Sigmoid",
                                          "Sign",
                                          "Slice",
                                          "Softmax",
                                          "Softplus",
                                          "Softsign",
                                          "Split",
                                          "Sqrt",
                                          "Tanh",
                                          "Transpose",
                                          "Trilu"};

// Operators that broadcast all their inputs against each other.
constexpr std::string_view kBroadcast[] = {"Add", "And", "Div", "Max", "Mean", "Min",
                                           "Mul", "Or",  "Pow", "Sub", "Sum",  "Where"};

template <std::size_t n>
bool holds(const std::string_view (&names)[n], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// The number of axes of Squeeze and Unsqueeze: an attribute, from opset 13 on an input.
Rank axis_count(const Graph& graph, const Node& node) {
  const auto axes = node.attributes.find("axes");
  if (axes != node.attributes.end()) {
    const auto* list = std::get_if<std::vector<std::int64_t>>(&axes->second);
    return list == nullptr ? Rank() : Rank(list->size());
  }
  const Tensor* const given = graph.constant(input_or_none(node, 1));
  return given == nullptr ? Rank() : Rank(static_cast<std::size_t>(given->size()));
}

Rank of_product(Rank a, Rank b) {
  if (!a || !b || *a < 2 || *b < 2) return std::nullopt;  // a vector's axis goes
  return std::max(*a, *b);
}

}  // namespace

KnownRanks KnownRanks::of_network(const Graph& graph) {
  KnownRanks known;
  for (const ValueId id : graph.inputs) {
    const auto& dims = graph.values[static_cast<std::size_t>(id)].dims;
    if (dims) known.set(id, dims->size());
  }
  known.derive(graph);
  return known;
}

KnownRanks KnownRanks::of_subgraph(const Node& node, const Graph& subgraph) const {
  KnownRanks inside;
  const std::size_t own = subgraph.inputs.size() - node.captures;
  for (std::size_t i = 0; i < node.captures; ++i) {
    inside.set(subgraph.inputs[own + i], of(node.inputs[own_inputs(node) + i]));
  }
  inside.derive(subgraph);
  return inside;
}

Rank KnownRanks::of(ValueId id) const {
  const auto at = static_cast<std::size_t>(id);
  return id == kNoValue || at >= ranks_.size() ? Rank() : ranks_[at];
}

void KnownRanks::set(ValueId id, Rank rank) {
  const auto at = static_cast<std::size_t>(id);
  if (at >= ranks_.size()) ranks_.resize(at + 1);
  ranks_[at] = rank;
}

void KnownRanks::derive(const Graph& graph) {
  for (std::size_t v = 0; v < graph.values.size(); ++v) {
    const auto& constant = graph.values[v].constant;
    if (constant) set(static_cast<ValueId>(v), constant->rank());
  }
  for (const Node& node : graph.nodes) {
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue) set(node.outputs[i], of_output(graph, node, i));
    }
  }
}

Rank KnownRanks::of_input(const Node& node, std::size_t i) const {
  return of(input_or_none(node, i));
}

Rank KnownRanks::widest_input(const Node& node) const {
  std::size_t widest = 0;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const Rank rank = of_input(node, i);
    if (!rank) return std::nullopt;
    widest = std::max(widest, *rank);
  }
  return widest;
}

Rank KnownRanks::of_output(const Graph& graph, const Node& node, std::size_t i) const {
  if (is_pbatch(node, "Linear") || is_pbatch(node, "Conv")) return of_input(node, 0);
  if (!node.domain.empty()) return std::nullopt;
  const std::string_view op = node.op_type;
  if (op == "Split") return of_input(node, 0);
  if (op == "RNN" || op == "LSTM" || op == "GRU") return i == 0 ? 4 : 3;
  if (i != 0) return std::nullopt;
  if (holds(kKeepRank, op)) return of_input(node, 0);
  if (holds(kBroadcast, op)) return widest_input(node);
  if (op == "Gemm" || op == "Flatten") return 2;
  if (op == "Shape") return 1;
  if (op == "MatMul") return of_product(of_input(node, 0), of_input(node, 1));
  if (op == "Reshape") {
    const Tensor* const shape = graph.constant(input_or_none(node, 1));
    return shape == nullptr ? Rank() : Rank(static_cast<std::size_t>(shape->size()));
  }
  const Rank first = of_input(node, 0);
  if (op == "Gather") {
    const Rank indices = of_input(node, 1);
    return first && indices && *first > 0 ? Rank(*first + *indices - 1) : Rank();
  }
  const bool squeezes = op == "Squeeze";
  if (squeezes || op == "Unsqueeze") {
    const Rank axes = axis_count(graph, node);
    if (!first || !axes || (squeezes && *axes > *first)) return std::nullopt;
    return squeezes ? *first - *axes : *first + *axes;
  }
  return std::nullopt;
}

}  // namespace pbatch
