#include "op/conv/global_window.h"

#include <algorithm>

#include "op/float_checks.h"
#include "op/node_checks.h"

namespace pbatch {
namespace {

class GlobalPool final : public Op {
 public:
  explicit GlobalPool(Pooling pooling) : pooling_(pooling) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor* x = input_or_null(request.inputs, 0);
    PBATCH_RETURN_IF_ERROR(expect_float(x, "input X"));
    PBATCH_ASSIGN_OR_RETURN(const std::vector<std::int64_t> kernel, whole_image(x->shape()));
    PBATCH_ASSIGN_OR_RETURN(const ConvGeometry geometry, make_geometry({}, x->shape(), kernel));
    return plan_pooling(pooling_, geometry, DType::f32, request.layout(0));
  }

  Layout wanted_layout(const PlanRequest& request, std::size_t i) const override {
    return request.layout(i);
  }

 private:
  const Pooling pooling_;
};

}  // namespace

Result<std::vector<std::int64_t>> whole_image(const Shape& x) {
  if (x.size() < 3 || std::count(x.begin() + 2, x.end(), 0) != 0) {
    return Status(ErrorCode::shape_mismatch, "input X " + shape_to_string(x) + " is no image",
                  "feed [batch, channels, height, width]");
  }
  return std::vector<std::int64_t>(x.begin() + 2, x.end());
}

Result<std::unique_ptr<Op>> make_global_pool(const Node& node, Pooling pooling) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
  return std::unique_ptr<Op>(new GlobalPool(pooling));
}

Status require_kernel(const WindowAttributes& window) {
  if (!window.kernel.empty()) return Status::ok();
  return {ErrorCode::malformed, "attribute kernel_shape is missing", "export the network again"};
}

}  // namespace pbatch
