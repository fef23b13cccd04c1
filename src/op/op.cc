#include "op/op.h"

#include <string>
#include <utility>

namespace pbatch {

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
