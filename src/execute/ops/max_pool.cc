// MaxPool and GlobalMaxPool.
#include "execute/dnnl_pooling.h"
#include "execute/max_windows.h"
#include "execute/op.h"
#include "execute/ops/float_checks.h"
#include "execute/ops/global_window.h"
#include "execute/ops/node_checks.h"

namespace pbatch {
namespace {

class MaxPool final : public Op {
 public:
  explicit MaxPool(WindowAttributes window) : window_(std::move(window)) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor* x = input_or_null(request.inputs, 0);
    const bool bytes = x != nullptr && (x->dtype() == DType::u8 || x->dtype() == DType::i8);
    if (!bytes) PBATCH_RETURN_IF_ERROR(expect_float(x, "input X"));
    PBATCH_ASSIGN_OR_RETURN(const ConvGeometry geometry,
                            make_geometry(window_, x->shape(), window_.kernel));
    TensorType y{x->dtype(), geometry.output_shape(x->dim(1))};
    if (product_of(y.shape, 0, y.shape.size()) == 0) {
      return StepPlan::of(std::move(y), [](const StepCall&) { return Status::ok(); });
    }
    return StepPlan::of(std::move(y), [this, geometry, bytes, type = x->dtype(),
                                       count = x->size()](const StepCall& call) -> Status {
      PBATCH_RETURN_IF_ERROR(poolings_.run(geometry, type, call.in[0], call.out[0],
                                           call.pool.lend(), call.buffers));
      const std::span<const float> in(call.input<float>(0),
                                      bytes ? 0 : static_cast<std::size_t>(count));
      if (needs_max_windows(in)) max_windows(geometry, in.data(), call.output<float>(0));
      return Status::ok();
    });
  }

 private:
  WindowAttributes window_;
  mutable DnnlPoolings poolings_{Pooling::max};
};

}  // namespace

Result<std::unique_ptr<Op>> make_max_pool(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1, 2));
  PBATCH_ASSIGN_OR_RETURN(WindowAttributes window, read_window_attributes(node));
  PBATCH_RETURN_IF_ERROR(require_kernel(window));
  if (node.outputs.size() > 1 && node.outputs[1] != kNoValue) {
    return Status(ErrorCode::unsupported, "MaxPool's output Indices is not supported",
                  "remove what uses it from the network");
  }
  return std::unique_ptr<Op>(new MaxPool(std::move(window)));
}

Result<std::unique_ptr<Op>> make_global_max_pool(const Graph&, const Node& node) {
  return make_global_pool(node, Pooling::max);
}

}  // namespace pbatch
