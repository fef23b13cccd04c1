#include "tools/eval/network_summary.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "format/model_file.h"
#include "graph/subgraphs.h"
#include "quantize/quantize_graph.h"
#include "run/check_inputs.h"
#include "run/find_op.h"
#include "run/program.h"
#include "run/simplify.h"

namespace pbatch {
namespace {

using Operator = std::pair<std::string, std::string>;  // domain, name

// What quantizers of others write.
constexpr std::string_view kOfQuantizedNetworks[] = {"ConvInteger",
                                                     "DequantizeLinear",
                                                     "DynamicQuantizeLSTM",
                                                     "DynamicQuantizeLinear",
                                                     "DynamicQuantizeMatMul",
                                                     "MatMulInteger",
                                                     "MatMulIntegerToFloat",
                                                     "MatMulNBits",
                                                     "QAttention",
                                                     "QGemm",
                                                     "QLinearAdd",
                                                     "QLinearConv",
                                                     "QLinearMatMul",
                                                     "QuantizeLinear"};

std::string shown_domain(const std::string& domain) { return domain.empty() ? "ai.onnx" : domain; }

bool is_of_quantized_network(const OperatorCount& op) {
  return std::find(std::begin(kOfQuantizedNetworks), std::end(kOfQuantizedNetworks), op.op_type) !=
         std::end(kOfQuantizedNetworks);
}

std::map<Operator, int> count_operators(const Graph& graph) {
  std::map<Operator, int> counts;
  visit_nodes(graph, [&](const Node& n) { ++counts[{shown_domain(n.domain), n.op_type}]; });
  return counts;
}

// Operators without which the network could run, as far as anyone can tell.
std::map<Operator, int> unknown_operators(const Graph& graph) {
  std::map<Operator, int> unknown;
  visit_nodes(graph, [&](const Node& n) {
    if (!find_op(n)) ++unknown[{shown_domain(n.domain), n.op_type}];
  });
  return unknown;
}

std::string advice_for(const NetworkSummary& s) {
  const bool quantized = std::any_of(s.operators.begin(), s.operators.end(),
                                     [](const auto& op) { return is_of_quantized_network(op); });
  const bool runs = s.problem.is_ok();
  if (quantized) {
    return runs ? "it is quantized already: quantize the float original, or let pbatch turn its "
                  "weights back into floats and quantize those"
                : "it is quantized already, in a way that pbatch does not read: take the float "
                  "original";
  }
  if (!runs) return s.problem.remedy();
  const bool any = std::any_of(s.candidates.begin(), s.candidates.end(),
                               [](const LayerReport& l) { return l.reason.empty(); });
  return any ? "'pbatch quantize' turns it into bit-layers"
             : "nothing in it is worth bit-layers; 'pbatch run' runs it as it is";
}

}  // namespace

Result<NetworkSummary> summarize_network(const std::string& path) {
  PBATCH_ASSIGN_OR_RETURN(Graph graph, load_model(path));
  NetworkSummary summary;
  summary.files = graph.files;
  summary.is_float = !graph.metadata.contains("pbatch.format_version");
  if (!summary.is_float) return summary;
  for (const auto& [domain, version] : graph.opsets) summary.opsets[shown_domain(domain)] = version;
  for (const ValueId id : graph.inputs) summary.inputs.push_back(describe_port(graph, id));
  for (const ValueId id : graph.outputs) summary.outputs.push_back(describe_port(graph, id));
  const std::map<Operator, int> counts = count_operators(graph);

  // A failure leaves the graph as the passes before have made it, without what these replace.
  summary.problem = simplify_to_quantize(graph);
  std::map<Operator, int> unknown;
  if (summary.problem) {
    summary.problem = Program::build(graph).status();
  } else {
    unknown = unknown_operators(graph);
  }
  for (const auto& [op, count] : counts) {
    summary.operators.push_back({op.first, op.second, count, unknown.count(op) == 0});
  }
  PBATCH_ASSIGN_OR_RETURN(summary.candidates, list_candidates(graph, {}));
  summary.advice = advice_for(summary);
  return summary;
}

}  // namespace pbatch
