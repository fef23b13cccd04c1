// Squeeze: leaves out dimensions of 1. Nothing is copied.
#include <optional>

#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

using SqueezedAxes = std::optional<std::vector<std::int64_t>>;  // none: every dimension of 1

class Squeeze final : public Op {
 public:
  explicit Squeeze(SqueezedAxes axes) : axes_(std::move(axes)) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    SqueezedAxes axes = axes_;
    if (const Tensor* given = input_or_null(request.inputs, 1); given != nullptr) {
      if (!request.knows(1)) return StepPlan{};
      PBATCH_ASSIGN_OR_RETURN(axes, read_integers(*given, "the list of axes"));
    }
    PBATCH_ASSIGN_OR_RETURN(const std::vector<bool> marked,
                            mark_axes(axes.value_or(std::vector<std::int64_t>{}), x.rank()));
    Shape shape;
    for (std::size_t d = 0; d < x.rank(); ++d) {
      if (axes ? !marked[d] : x.dim(d) != 1) {
        shape.push_back(x.dim(d));
      } else if (x.dim(d) != 1) {
        return Status(ErrorCode::shape_mismatch,
                      "axis " + std::to_string(d) + " of shape " + shape_to_string(x.shape()) +
                          " is not 1 and cannot be squeezed",
                      "feed the shape that the network was exported for");
      }
    }
    return StepPlan::alias({x.dtype(), std::move(shape)});
  }

 private:
  SqueezedAxes axes_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_squeeze(const Graph&, const Node& node) {
  const std::size_t inputs = node.opset >= 13 ? 2 : 1;  // axes: an attribute before
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, inputs));
  SqueezedAxes axes;
  if (node.opset < 13 && node.has_attr("axes")) {
    PBATCH_ASSIGN_OR_RETURN(axes, node.ints_attr("axes", {}));
  }
  return std::unique_ptr<Op>(new Squeeze(std::move(axes)));
}

}  // namespace pbatch
