#include <string>
#include <vector>

#include "graph/make_linear.h"
#include "graph/passes.h"
#include "graph/rewrite.h"
#include "graph/subgraphs.h"

namespace pbatch {
namespace {

bool takes_activation(const Node& node) {
  return (is_pbatch(node, "Linear") || is_onnx(node, "Conv") || is_pbatch(node, "Conv")) &&
         !node.has_attr("activation") && node.outputs.size() == 1 && node.outputs[0] != kNoValue;
}

void fuse_relu(Graph& graph) {
  const Uses uses(graph);
  std::vector<bool> dead(graph.nodes.size(), false);
  for (Node& node : graph.nodes) {
    if (!takes_activation(node)) continue;
    const std::int32_t consumer = uses.sole_consumer(node.outputs[0]);
    if (consumer < 0) continue;
    const Node& relu = graph.nodes[static_cast<std::size_t>(consumer)];
    if (!is_onnx(relu, "Relu") || relu.inputs.size() != 1 || relu.outputs.size() != 1) continue;
    node.outputs[0] = relu.outputs[0];
    node.attributes["activation"] = std::string("relu");
    if (is_onnx(node, "Conv")) make_pbatch(graph, node, "Conv");
    dead[static_cast<std::size_t>(consumer)] = true;
  }
  erase_nodes(graph, dead);
}

Status fuse(Graph& graph, const KnownRanks& ranks) {
  for (Node& node : graph.nodes) {
    PBATCH_RETURN_IF_ERROR(change_subgraphs(
        node, [&](Graph& subgraph) { return fuse(subgraph, ranks.of_subgraph(node, subgraph)); }));
  }
  PBATCH_RETURN_IF_ERROR(make_linear(graph, ranks));
  fuse_relu(graph);
  return Status::ok();
}

}  // namespace

Status fuse_linear(Graph& graph) { return fuse(graph, KnownRanks::of_network(graph)); }

}  // namespace pbatch
