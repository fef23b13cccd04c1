#include "execute/ops/global_window.h"

#include <algorithm>

#include "execute/max_windows.h"
#include "execute/ops/float_checks.h"
#include "execute/ops/node_checks.h"

namespace pbatch {
namespace {

class GlobalPool final : public Op {
 public:
  explicit GlobalPool(Pooling pooling) : pooling_(pooling), poolings_(pooling) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor* x = input_or_null(request.inputs, 0);
    PBATCH_RETURN_IF_ERROR(expect_float(x, "input X"));
    const Shape& shape = x->shape();
    if (shape.size() < 3 || std::count(shape.begin() + 2, shape.end(), 0) != 0) {
      return Status(ErrorCode::shape_mismatch, "input X " + shape_to_string(shape) + " is no image",
                    "feed [batch, channels, height, width]");
    }
    PBATCH_ASSIGN_OR_RETURN(const ConvGeometry geometry,
                            make_geometry({}, shape, Shape(shape.begin() + 2, shape.end())));
    TensorType y{DType::f32, geometry.output_shape(shape[1])};
    if (shape[0] * shape[1] == 0) {
      return StepPlan::of(std::move(y), [](const StepCall&) { return Status::ok(); });
    }
    return StepPlan::of(
        std::move(y), [this, geometry, count = x->size()](const StepCall& call) -> Status {
          PBATCH_RETURN_IF_ERROR(poolings_.run(geometry, DType::f32, call.in[0], call.out[0],
                                               call.pool.lend(), call.buffers));
          const std::span<const float> in(call.input<float>(0), static_cast<std::size_t>(count));
          if (pooling_ == Pooling::max && needs_max_windows(in)) {
            max_windows(geometry, in.data(), call.output<float>(0));
          }
          return Status::ok();
        });
  }

 private:
  const Pooling pooling_;
  mutable DnnlPoolings poolings_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_global_pool(const Node& node, Pooling pooling) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
  return std::unique_ptr<Op>(new GlobalPool(pooling));
}

Status require_kernel(const WindowAttributes& window) {
  if (!window.kernel.empty()) return Status::ok();
  return {ErrorCode::malformed, "attribute kernel_shape is missing", "export the network again"};
}

}  // namespace pbatch
