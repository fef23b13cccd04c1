#include "execute/op.h"

#include <string>
#include <utility>

#include "execute/op_remedy.h"
#include "execute/refused_operators.h"
#include "graph/subgraphs.h"

namespace pbatch {

#define PBATCH_OP(domain, op_type, first_opset, factory) \
  Result<std::unique_ptr<Op>> factory(const Graph& graph, const Node& node);
#include "execute/ops/ops.inc"
#undef PBATCH_OP

namespace {

struct OpEntry {
  const char* domain;
  const char* op_type;
  int first_opset;
  OpFactory factory;
};

constexpr OpEntry kOps[] = {
#define PBATCH_OP(domain, op_type, first_opset, factory) {domain, op_type, first_opset, factory},
#include "execute/ops/ops.inc"
#undef PBATCH_OP
};

}  // namespace

Result<Tensor> RunContext::allocate(DType type, Shape shape) const {
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t count, checked_element_count(shape, dtype_size(type)));
  std::shared_ptr<void> memory = buffers.take(static_cast<std::size_t>(count) * dtype_size(type));
  if (memory == nullptr) {
    return Status(ErrorCode::out_of_memory,
                  "no memory for a " + std::string(dtype_name(type)) + " tensor of shape " +
                      shape_to_string(shape),
                  "feed a smaller batch or smaller inputs");
  }
  const void* data = memory.get();
  return Tensor::view(type, std::move(shape), data, std::move(memory));
}

Status run_planned(const StepPlan& plan, RunContext& context, std::span<const Tensor* const> inputs,
                   std::span<Tensor> outputs) {
  if (plan.value) {
    outputs[0] = *plan.value;
    return Status::ok();
  }
  if (plan.alias_of) {
    outputs[0] = inputs[*plan.alias_of]->reshaped(plan.outputs[0].shape);
    return Status::ok();
  }
  std::vector<const void*> in;
  for (const Tensor* input : inputs) in.push_back(input != nullptr ? input->raw() : nullptr);
  std::vector<void*> out;
  for (std::size_t i = 0; i < plan.outputs.size(); ++i) {
    PBATCH_ASSIGN_OR_RETURN(Tensor made,
                            context.allocate(plan.outputs[i].dtype, plan.outputs[i].shape));
    out.push_back(made.mutable_raw());
    if (i < outputs.size()) outputs[i] = std::move(made);
  }
  std::shared_ptr<void> scratch;
  if (plan.scratch_bytes > 0) {
    scratch = context.buffers.take(plan.scratch_bytes);
    if (scratch == nullptr) {
      return {ErrorCode::out_of_memory,
              "no memory for " + std::to_string(plan.scratch_bytes) + " bytes of scratch space",
              "use a smaller batch"};
    }
  }
  return plan.step->run(
      {in.data(), out.data(), scratch.get(), nullptr, false, context.pool, context.buffers});
}

Status Op::run(RunContext& context, std::span<const Tensor* const> inputs,
               std::span<Tensor> outputs) const {
  PBATCH_ASSIGN_OR_RETURN(const StepPlan plan, this->plan({context, inputs, outputs.size()}));
  if (plan.allocates) return plan.allocates(context, inputs, outputs);
  if (plan.is_planned()) return run_planned(plan, context, inputs, outputs);
  return {ErrorCode::unsupported, "the operator says no types for its outputs",
          "report this; it is an error of pbatch"};
}

std::vector<const Program*> Op::programs() const {
  std::vector<const Program*> all;
  for (const ProgramInputs& inner : programs({})) all.push_back(inner.program);
  return all;
}

Result<OpFactory> find_op(const Node& node) {
  const OpEntry* best = nullptr;      // the newest definition that the model's opset knows
  const OpEntry* earliest = nullptr;  // of any opset, for the message
  for (const OpEntry& entry : kOps) {
    if (node.domain != entry.domain || node.op_type != entry.op_type) continue;
    if (earliest == nullptr || entry.first_opset < earliest->first_opset) earliest = &entry;
    if (entry.first_opset > node.opset) continue;
    if (best == nullptr || entry.first_opset > best->first_opset) best = &entry;
  }
  if (best != nullptr) return best->factory;
  const std::string what = "operator " + node.op_type + " of " +
                           (node.domain.empty() ? "ai.onnx" : node.domain) + ", opset " +
                           std::to_string(node.opset) + ", is not supported";
  if (earliest != nullptr) {
    return Status(
        ErrorCode::unsupported,
        what + ": it is known from opset " + std::to_string(earliest->first_opset) + " on",
        "export the network with that opset or a later one");
  }
  return Status(ErrorCode::unsupported, what, remedy_for(node));
}

Status check_operators(const Graph& graph) {
  RefusedOperators refused;
  visit_nodes(graph, [&](const Node& node) {
    if (const Status status = find_op(node).status(); !status) refused.add(node, status);
  });
  return refused.status("nor", graph.source_file);
}

Layout common_layout(const PlanRequest& request) {
  std::size_t rank = 0;
  bool last = false;
  for (std::size_t i = 0; i < request.inputs.size(); ++i) {
    if (request.inputs[i] == nullptr) continue;
    rank = std::max(rank, request.inputs[i]->rank());
    last = last || request.layout(i) == Layout::channels_last;
  }
  for (const Tensor* input : request.inputs) {
    if (input == nullptr || input->rank() == rank) continue;
    last = last && has_one_layout(padded_shape(input->shape(), rank));
  }
  return last ? Layout::channels_last : Layout::plain;
}

}  // namespace pbatch
