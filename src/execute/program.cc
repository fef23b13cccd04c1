#include "execute/program.h"

#include <chrono>
#include <utility>

#include "execute/packed_input.h"

namespace pbatch {
namespace {

std::vector<std::vector<ValueId>> last_uses(const Graph& graph) {
  std::vector<std::vector<ValueId>> release(graph.nodes.size());
  std::vector<char> seen(graph.values.size(), 0);
  for (const ValueId id : graph.outputs) seen[static_cast<std::size_t>(id)] = 1;
  for (std::size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    for (const auto* ids : {&node.inputs, &node.outputs}) {
      for (const ValueId id : *ids) {
        if (id == kNoValue || seen[static_cast<std::size_t>(id)] != 0) continue;
        seen[static_cast<std::size_t>(id)] = 1;
        release[n].push_back(id);
      }
    }
  }
  return release;
}

double microseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
      .count();
}

}  // namespace

Result<Program> Program::build(Graph graph) {
  Program program;
  program.release_after_ = last_uses(graph);
  program.graph_ = std::make_unique<const Graph>(std::move(graph));
  const Graph& g = *program.graph_;
  for (const Node& node : g.nodes) {
    const Result<OpFactory> factory = find_op(node);
    if (!factory) return factory.status().at_node(node.name).in_file(g.source_file);
    Result<std::unique_ptr<Op>> op = (*factory)(g, node);
    if (!op) return op.status().at_node(node.name).in_file(g.source_file);
    program.ops_.push_back(std::move(op).value());
  }
  program.find_shared_inputs();
  return program;
}

Status Program::visit(const std::function<Status(const Node&, const Op&)>& visit) const {
  for (std::size_t i = 0; i < ops_.size(); ++i) {
    PBATCH_RETURN_IF_ERROR(visit(graph_->nodes[i], *ops_[i]));
    for (const Program* inner : ops_[i]->programs()) PBATCH_RETURN_IF_ERROR(inner->visit(visit));
  }
  return Status::ok();
}

void Program::choose_kernels_by(const KernelPolicy& policy) {
  for (const auto& op : ops_) op->choose_kernels_by(policy);
}

void Program::find_shared_inputs() {
  std::vector<std::vector<std::size_t>> readers(graph_->values.size());
  for (std::size_t n = 0; n < ops_.size(); ++n) {
    const std::vector<ValueId>& inputs = graph_->nodes[n].inputs;
    if (!ops_[n]->packs_first_input() || inputs.empty() || inputs[0] == kNoValue) continue;
    readers[static_cast<std::size_t>(inputs[0])].push_back(n);
  }
  shared_inputs_.resize(ops_.size());
  for (const std::vector<std::size_t>& nodes : readers) {
    if (nodes.size() < 2) continue;
    for (const std::size_t n : nodes) shared_inputs_[n].number = shared_count_;
    shared_inputs_[nodes.back()].last = true;
    ++shared_count_;
  }
}

Result<std::vector<Tensor>> Program::run(RunContext& context, std::span<const Tensor> inputs,
                                         std::vector<NodeTime>* times) const {
  const Graph& g = *graph_;
  std::vector<Tensor> values(g.values.size());
  std::vector<const Tensor*> current(g.values.size(), nullptr);
  for (std::size_t i = 0; i < g.values.size(); ++i) {
    if (g.values[i].constant) current[i] = &*g.values[i].constant;
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    current[static_cast<std::size_t>(g.inputs[i])] = &inputs[i];
  }

  std::vector<PackedInput> packed(static_cast<std::size_t>(shared_count_));
  std::vector<const Tensor*> node_inputs;
  std::vector<Tensor> node_outputs;
  for (std::size_t n = 0; n < ops_.size(); ++n) {
    const Node& node = g.nodes[n];
    node_inputs.clear();
    for (const ValueId id : node.inputs) {
      node_inputs.push_back(id == kNoValue ? nullptr : current[static_cast<std::size_t>(id)]);
    }
    node_outputs.assign(node.outputs.size(), Tensor{});
    const SharedInput shared = shared_inputs_[n];
    context.packed_input =
        shared.number < 0 ? nullptr : &packed[static_cast<std::size_t>(shared.number)];
    const auto start = times != nullptr ? std::chrono::steady_clock::now()
                                        : std::chrono::steady_clock::time_point();
    if (Status s = ops_[n]->run(context, node_inputs, node_outputs); !s) {
      return std::move(s).at_node(node.name).in_file(g.source_file);
    }
    if (times != nullptr) times->push_back({node.name, node.op_type, microseconds_since(start)});
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == kNoValue) continue;
      const auto slot = static_cast<std::size_t>(node.outputs[i]);
      values[slot] = std::move(node_outputs[i]);
      current[slot] = &values[slot];
    }
    if (shared.last) *context.packed_input = PackedInput{};
    for (const ValueId id : release_after_[n]) values[static_cast<std::size_t>(id)] = Tensor{};
  }

  std::vector<Tensor> outputs;
  for (const ValueId id : g.outputs) outputs.push_back(*current[static_cast<std::size_t>(id)]);
  return outputs;
}

}  // namespace pbatch
