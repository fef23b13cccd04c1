#include "run/fold_constants.h"

#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "graph/rewrite.h"
#include "graph/subgraphs.h"
#include "run/find_op.h"
#include "run/generated_constants.h"
#include "run/known_dims.h"
#include "run/result_size.h"

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

std::vector<const Tensor*> constant_inputs(const Graph& graph, const Node& node) {
  std::vector<const Tensor*> inputs;
  for (const ValueId id : node.inputs) {
    inputs.push_back(id == kNoValue ? nullptr : graph.constant(id));
  }
  return inputs;
}

Status fold_node(Graph& graph, const Node& node, OpFactory factory, RunContext& context) {
  PBATCH_ASSIGN_OR_RETURN(const std::unique_ptr<Op> op, factory(graph, node));
  const std::vector<const Tensor*> inputs = constant_inputs(graph, node);
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

// Results from this size on are not even made: perhaps no memory holds them.
constexpr std::int64_t kMostBytes = std::int64_t{1} << 28;

bool is_far_too_large(const Graph& graph, const Node& node) {
  const std::vector<const Tensor*> inputs = constant_inputs(graph, node);
  return result_bytes(node, inputs).value_or(0) >= kMostBytes;
}

// The subgraph that an If of known condition runs; else null.
std::shared_ptr<const Graph> branch_taken(const Graph& graph, const Node& node) {
  if (!is_onnx(node, "If") || !check_control_flow(node)) return nullptr;
  const Tensor* condition = graph.constant(node.inputs[0]);
  if (condition == nullptr || condition->dtype() != DType::boolean || condition->size() != 1) {
    return nullptr;
  }
  return node.subgraphs.at(*condition->data<std::uint8_t>() != 0 ? "then_branch" : "else_branch");
}

class Folder {
 public:
  // `inside`: the graph is a subgraph, which perhaps never runs.
  Folder(Graph& graph, bool inside, KnownDims known, RunContext& context)
      : graph_(graph), inside_(inside), known_(std::move(known)), context_(context) {}

  Status run() {
    waiting_.assign(std::make_move_iterator(graph_.nodes.rbegin()),
                    std::make_move_iterator(graph_.nodes.rend()));
    while (!waiting_.empty()) {
      Node node = std::move(waiting_.back());
      waiting_.pop_back();
      const std::string name = node.name;
      if (Status s = fold(std::move(node)); !s) {
        return std::move(s).at_node(name).in_file(graph_.source_file);
      }
    }
    graph_.nodes = generated_.nodes_to_keep(graph_, kept_);
    graph_.nodes.insert(graph_.nodes.end(), std::make_move_iterator(kept_.begin()),
                        std::make_move_iterator(kept_.end()));
    return Status::ok();
  }

 private:
  Status fold(Node node) {
    if (!node.subgraphs.empty()) return fold_subgraphs(std::move(node));
    // A node that makes an output of the graph stays: outputs are computed, not stored.
    const bool inner = !makes_a_graph_output(graph_, node);
    if (std::optional<Tensor> dims = known_.value_of(graph_, node); dims && inner) {
      Value& value = graph_.values[static_cast<std::size_t>(node.outputs[0])];
      value.dtype = dims->dtype();
      value.constant = *std::move(dims);
      return Status::ok();
    }
    const Result<OpFactory> factory = find_op(node);
    if (factory && inner && inputs_are_constant(graph_, node) && !is_far_too_large(graph_, node)) {
      const Status folded = fold_node(graph_, node, *factory, context_);
      if (folded) generated_.note(graph_, std::move(node));
      // In a subgraph it is an error only once it runs; and there it may run where memory is.
      if (folded || (!inside_ && folded.code() != ErrorCode::out_of_memory)) return folded;
    }
    kept_.push_back(std::move(node));
    return Status::ok();
  }

  Status fold_subgraphs(Node node) {
    generated_.tell_subgraphs(graph_, node);
    if (const auto branch = branch_taken(graph_, node)) {
      if (!inliner_) inliner_.emplace(graph_);
      std::vector<Node> nodes = inliner_->nodes_of(node, *branch);
      waiting_.insert(waiting_.end(), std::make_move_iterator(nodes.rbegin()),
                      std::make_move_iterator(nodes.rend()));
      return Status::ok();
    }
    kept_.push_back(std::move(node));
    return change_subgraphs(kept_.back(), [this](Graph& subgraph) {
      KnownDims known = known_.of_subgraph(kept_.back(), subgraph);
      return Folder(subgraph, /*inside=*/true, std::move(known), context_).run();
    });
  }

  Graph& graph_;
  const bool inside_;
  KnownDims known_;
  RunContext& context_;
  std::vector<Node> waiting_;  // the next one last
  std::vector<Node> kept_;
  std::optional<Inliner> inliner_;
  GeneratedConstants generated_;
};

}  // namespace

Status fold_constants(Graph& graph) {
  ThreadPool pool(1);
  BufferPool buffers;
  const Precision precision = Precision::f32();
  RunContext context{pool, buffers, precision, FloatBackend::openblas};
  return Folder(graph, /*inside=*/false, KnownDims::of_inputs(graph), context).run();
}

}  // namespace pbatch
