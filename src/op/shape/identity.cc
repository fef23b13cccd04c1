// Identity: the result shares the input's memory.
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

class Identity final : public Op {
 public:
  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    return StepPlan::alias({x.dtype(), x.shape()});
  }
};

}  // namespace

Result<std::unique_ptr<Op>> make_identity(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
  return std::unique_ptr<Op>(new Identity);
}

}  // namespace pbatch
