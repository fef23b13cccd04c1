#include "execute/fold_constants.h"

#include <vector>

#include "execute/op.h"

namespace pbatch {
namespace {

bool inputs_are_constant(const Graph& graph, const Node& node) {
  for (const ValueId id : node.inputs) {
    if (id != kNoValue && graph.constant(id) == nullptr) return false;
  }
  return true;
}

bool makes_a_graph_output(const Graph& graph, const Node& node) {
  for (const ValueId made : node.outputs) {
    for (const ValueId output : graph.outputs) {
      if (made == output) return true;
    }
  }
  return false;
}

Status fold_node(Graph& graph, const Node& node, OpFactory factory, RunContext& context) {
  PBATCH_ASSIGN_OR_RETURN(const std::unique_ptr<Op> op, factory(graph, node));
  std::vector<const Tensor*> inputs;
  for (const ValueId id : node.inputs) {
    inputs.push_back(id == kNoValue ? nullptr : graph.constant(id));
  }
  std::vector<Tensor> outputs(node.outputs.size());
  PBATCH_RETURN_IF_ERROR(op->run(context, inputs, outputs));
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    Value& value = graph.values[static_cast<std::size_t>(node.outputs[i])];
    value.dtype = outputs[i].dtype();
    value.constant = std::move(outputs[i]);
  }
  return Status::ok();
}

}  // namespace

Status fold_constants(Graph& graph) {
  ThreadPool pool(1);
  BufferPool buffers;
  const Precision precision = Precision::f32();
  RunContext context{pool, buffers, precision, FloatBackend::openblas};

  std::vector<Node> kept;
  for (Node& node : graph.nodes) {
    const Result<OpFactory> factory = find_op(node);
    // A node that makes an output of the graph stays: outputs are computed, not stored.
    if (!factory || !inputs_are_constant(graph, node) || makes_a_graph_output(graph, node)) {
      kept.push_back(std::move(node));
      continue;
    }
    if (Status s = fold_node(graph, node, *factory, context); !s) {
      return std::move(s).at_node(node.name).in_file(graph.source_file);
    }
  }
  graph.nodes = std::move(kept);
  return Status::ok();
}

}  // namespace pbatch
