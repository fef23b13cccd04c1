#include "graph/fallbacks.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "graph/rewrite.h"
#include "graph/subgraphs.h"

namespace pbatch {
namespace {

// Operators whose inputs are all alike: data, not parameters.
constexpr std::string_view kDataOnly[] = {
    "Add",  "And",         "Concat", "Div",  "Equal", "Greater", "GreaterOrEqual",
    "Less", "LessOrEqual", "Max",    "Mean", "Min",   "Mod",     "Mul",
    "Or",   "Pow",         "Sub",    "Sum",  "Where", "Xor"};

bool takes_data_only(const Node& node) {
  return node.domain.empty() &&
         std::find(std::begin(kDataOnly), std::end(kDataOnly), node.op_type) != std::end(kDataOnly);
}

// An Add behind a matrix product adds its bias.
bool adds_bias(const Graph& graph, const Node& node, ValueId id) {
  if (!is_onnx(node, "Add")) return false;
  for (const Node& maker : graph.nodes) {
    if (!is_onnx(maker, "MatMul") || maker.outputs.empty()) continue;
    const auto& inputs = node.inputs;
    if (maker.outputs[0] != id &&
        std::find(inputs.begin(), inputs.end(), maker.outputs[0]) != inputs.end()) {
      return true;
    }
  }
  return false;
}

bool is_parameter(const Graph& graph, ValueId id) {
  for (const Node& node : graph.nodes) {
    const std::size_t own = own_inputs(node);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] != id) continue;
      if (i >= own) {
        const std::size_t capture = i - own;
        for (const auto& entry : node.subgraphs) {
          const Graph& inner = *entry.second;
          const std::size_t first = inner.inputs.size() - node.captures;
          if (is_parameter(inner, inner.inputs[first + capture])) return true;
        }
      } else if (takes_data_only(node) ? adds_bias(graph, node, id)
                                       : i > 0 || is_onnx(node, "Gather")) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace

bool has_fallbacks(const Graph& graph) {
  return std::any_of(graph.inputs.begin(), graph.inputs.end(), [&](ValueId id) {
    return graph.values[static_cast<std::size_t>(id)].fallback.has_value();
  });
}

void freeze_fallbacks(Graph& graph, Freeze which) {
  std::erase_if(graph.inputs, [&](ValueId id) {
    Value& value = graph.values[static_cast<std::size_t>(id)];
    if (!value.fallback) return false;
    if (which == Freeze::parameters && !is_parameter(graph, id)) return false;
    value.constant = std::exchange(value.fallback, std::nullopt);
    value.dims.emplace();
    for (const std::int64_t d : value.constant->shape()) value.dims->push_back({d, {}});
    return true;
  });
  for (Node& node : graph.nodes) tell_subgraphs(graph, node);
}

}  // namespace pbatch
