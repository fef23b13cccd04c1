// Unsqueeze: puts in dimensions of 1. Nothing is copied.
#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

class Unsqueeze final : public Op {
 public:
  explicit Unsqueeze(std::vector<std::int64_t> axes) : axes_(std::move(axes)) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    std::vector<std::int64_t> axes = axes_;
    if (const Tensor* given = input_or_null(request.inputs, 1); given != nullptr) {
      if (!request.knows(1)) return StepPlan{};
      PBATCH_ASSIGN_OR_RETURN(axes, read_integers(*given, "the list of axes"));
    }
    const std::size_t rank = x.rank() + axes.size();
    PBATCH_ASSIGN_OR_RETURN(const std::vector<bool> added, mark_axes(axes, rank));
    Shape shape;
    for (std::size_t d = 0, from = 0; d < rank; ++d) {
      shape.push_back(added[d] ? 1 : x.dim(from++));
    }
    return StepPlan::alias({x.dtype(), std::move(shape)});
  }

 private:
  std::vector<std::int64_t> axes_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_unsqueeze(const Graph&, const Node& node) {
  const std::size_t inputs = node.opset >= 13 ? 2 : 1;  // axes: an attribute before
  PBATCH_RETURN_IF_ERROR(check_arity(node, inputs, inputs));
  std::vector<std::int64_t> axes;
  if (node.opset < 13) {
    PBATCH_ASSIGN_OR_RETURN(axes, node.ints_attr("axes", {}));
  }
  return std::unique_ptr<Op>(new Unsqueeze(std::move(axes)));
}

}  // namespace pbatch
