// Constant: the value that its attribute holds.
#include "onnx/constant_node.h"
#include "op/op.h"

namespace pbatch {
namespace {

class Constant final : public Op {
 public:
  explicit Constant(Tensor value) : value_(std::move(value)) {}

  Result<StepPlan> plan(const PlanRequest&) const override { return StepPlan::constant(value_); }

 private:
  Tensor value_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_constant(const Graph&, const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(Tensor value, constant_node_value(node));
  return std::unique_ptr<Op>(new Constant(std::move(value)));
}

}  // namespace pbatch
