#include "op/step.h"

namespace pbatch {

Status Step::run_tiles(const StepCall&, std::int64_t, std::int64_t) const {
  return {ErrorCode::internal, "this step has no tiles", "report this; it is an error of pbatch"};
}

StepPlan StepPlan::allocating(AllocatingStep step) {
  StepPlan plan;
  plan.allocates = std::move(step);
  return plan;
}

StepPlan StepPlan::alias(TensorType output, std::size_t alias_of) {
  StepPlan plan;
  plan.outputs.push_back(std::move(output));
  plan.alias_of = alias_of;
  return plan;
}

StepPlan StepPlan::constant(Tensor value) {
  StepPlan plan;
  plan.outputs.push_back({value.dtype(), value.shape()});
  plan.value = std::move(value);
  return plan;
}

StepPlan&& StepPlan::in_place_of(std::size_t i) && {
  overwrites = i;
  return std::move(*this);
}

StepPlan&& StepPlan::in_layout(Layout l) && {
  layout = l;
  return std::move(*this);
}

}  // namespace pbatch
