#include "quantize/fold_lookups.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "graph/passes.h"
#include "graph/rewrite.h"
#include "graph/subgraphs.h"
#include "quantize/name_pattern.h"
#include "quantize/weight_values.h"

namespace pbatch {
namespace {

bool is_excluded_from_folding(const Node& node, const QuantizeOptions& options) {
  return std::any_of(options.exclude.begin(), options.exclude.end(),
                     [&](const std::string& p) { return matches_pattern(node.name, p); });
}

bool is_matrix(const Tensor* t) {
  return t != nullptr && t->dtype() == DType::f32 && t->rank() == 2 && t->size() > 0;
}

// The table of a look-up of rows; null for any other node.
const Tensor* table_of(const Graph& graph, const Node& node) {
  if (!is_onnx(node, "Gather") || node.inputs.size() != 2) return nullptr;
  const Tensor* const table = graph.constant(node.inputs[0]);
  const Result<std::int64_t> axis = node.int_attr("axis", 0);
  const bool rows = is_matrix(table) && axis && (*axis == 0 || *axis == -2);
  return rows && reason_of_table(table->span<float>()).empty() ? table : nullptr;
}

bool is_plain_linear(const Graph& graph, const Node& node, ValueId x) {
  if (!is_pbatch(node, "Linear") || node.inputs.size() < 2 || node.inputs[0] != x) return false;
  if (!is_matrix(graph.constant(node.inputs[1])) || node.has_attr("activation")) return false;
  if (std::count(node.inputs.begin(), node.inputs.end(), x) != 1) return false;
  if (node.inputs.size() < 3 || node.inputs[2] == kNoValue) return true;
  const Tensor* const bias = graph.constant(node.inputs[2]);
  return bias != nullptr && bias->dtype() == DType::f32;
}

// Table times the layer's matrix, and its bias.
Result<Tensor> results_of(const Tensor& table, const Tensor& weights, const Tensor* bias) {
  const std::int64_t rows = table.dim(0), depth = table.dim(1), cols = weights.dim(1);
  PBATCH_ASSIGN_OR_RETURN(Tensor made, Tensor::create(DType::f32, {rows, cols}));
  std::vector<double> sum(static_cast<std::size_t>(cols));
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < cols; ++c) {
      sum[static_cast<std::size_t>(c)] = bias == nullptr ? 0.0 : bias->data<float>()[c];
    }
    for (std::int64_t k = 0; k < depth; ++k) {
      const double x = table.data<float>()[r * depth + k];
      const float* const w = weights.data<float>() + k * cols;
      for (std::int64_t c = 0; c < cols; ++c) sum[static_cast<std::size_t>(c)] += x * w[c];
    }
    float* const out = made.mutable_data<float>() + r * cols;
    for (std::int64_t c = 0; c < cols; ++c)
      out[c] = static_cast<float>(sum[static_cast<std::size_t>(c)]);
  }
  return made;
}

// The layers that read the look-up, if they may all be folded into it; else none.
std::vector<std::int32_t> layers_behind(const Graph& graph, const Node& gather, const Tensor& table,
                                        const std::vector<std::int32_t>& readers,
                                        const QuantizeOptions& options) {
  const ValueId x = gather.outputs[0];
  if (is_excluded_from_folding(gather, options)) return {};
  if (std::find(graph.outputs.begin(), graph.outputs.end(), x) != graph.outputs.end()) return {};
  std::int64_t before = table.size(), after = 0;
  for (const std::int32_t reader : readers) {
    const Node& node = graph.nodes[static_cast<std::size_t>(reader)];
    if (!is_plain_linear(graph, node, x) || is_excluded_from_folding(node, options)) return {};
    const Tensor& weights = *graph.constant(node.inputs[1]);
    if (weights.dim(0) != table.dim(1)) return {};
    before += weights.size();
    after += table.dim(0) * weights.dim(1);
  }
  return after <= before ? readers : std::vector<std::int32_t>{};
}

Status fold_into(Graph& graph, std::size_t gather_at, std::size_t layer_at) {
  const Node gather = graph.nodes[gather_at];
  Node& layer = graph.nodes[layer_at];
  const Tensor* const bias = layer.inputs.size() > 2 && layer.inputs[2] != kNoValue
                                 ? graph.constant(layer.inputs[2])
                                 : nullptr;
  PBATCH_ASSIGN_OR_RETURN(Tensor results, results_of(*graph.constant(gather.inputs[0]),
                                                     *graph.constant(layer.inputs[1]), bias));
  Node folded = gather;
  folded.name = layer.name;
  folded.outputs = layer.outputs;
  folded.attributes.clear();  // of rows
  const std::string name = layer.name + "/table";
  folded.inputs[0] = graph.add_value({.name = name, .constant = std::move(results)});
  graph.nodes[layer_at] = std::move(folded);
  return Status::ok();
}

Status fold(Graph& graph, const QuantizeOptions& options) {
  PBATCH_RETURN_IF_ERROR(
      change_subgraphs(graph, [&](Graph& subgraph) { return fold(subgraph, options); }));
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Tensor* const table = table_of(graph, graph.nodes[n]);
    if (table == nullptr) continue;
    const ValueId x = graph.nodes[n].outputs[0];
    const std::vector<std::int32_t> layers = layers_behind(
        graph, graph.nodes[n], *table, graph.consumers()[static_cast<std::size_t>(x)], options);
    for (const std::int32_t layer : layers) {
      PBATCH_RETURN_IF_ERROR(fold_into(graph, n, static_cast<std::size_t>(layer)));
    }
  }
  return Status::ok();
}

}  // namespace

Status fold_lookups(Graph& graph, const QuantizeOptions& options) {
  PBATCH_RETURN_IF_ERROR(fold(graph, options));
  return remove_unused(graph);
}

}  // namespace pbatch
