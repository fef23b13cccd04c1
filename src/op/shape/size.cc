// Size: the number of elements of the input, as an int64 scalar.
#include "op/data_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

class Size final : public Op {
 public:
  Result<StepPlan> plan(const PlanRequest& request) const override {
    PBATCH_ASSIGN_OR_RETURN(Tensor y, Tensor::create(DType::i64, {}));
    *y.mutable_data<std::int64_t>() = request.inputs[0]->size();
    return StepPlan::constant(std::move(y));
  }

  Layout wanted_layout(const PlanRequest& request, std::size_t i) const override {
    return request.layout(i);  // no element is read
  }
};

}  // namespace

Result<std::unique_ptr<Op>> make_size(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
  return std::unique_ptr<Op>(new Size);
}

}  // namespace pbatch
