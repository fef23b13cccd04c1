// Flatten: a matrix of the dimensions before an axis times those from it. Nothing is copied.
#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

class Flatten final : public Op {
 public:
  explicit Flatten(std::int64_t axis) : axis_(axis) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    std::size_t axis = x.rank();  // allowed: everything stands before it
    if (axis_ != static_cast<std::int64_t>(x.rank())) {
      PBATCH_ASSIGN_OR_RETURN(axis, normalize_axis(axis_, x.rank()));
    }
    const std::int64_t rows = product_of(x.shape(), 0, axis);
    return StepPlan::alias({x.dtype(), {rows, product_of(x.shape(), axis, x.rank())}});
  }

 private:
  std::int64_t axis_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_flatten(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t axis, node.int_attr("axis", 1));
  return std::unique_ptr<Op>(new Flatten(axis));
}

}  // namespace pbatch
