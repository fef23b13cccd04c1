// LpPool and GlobalLpPool: the Lp norm of what a window sees.
#include <cmath>

#include "op/conv/global_window.h"
#include "op/conv/pooling.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

float magnitude_power(float x, std::int64_t p) {
  if (p == 1) return std::fabs(x);
  return p == 2 ? x * x : std::pow(std::fabs(x), static_cast<float>(p));
}

float root(float sum, std::int64_t p) {
  if (p == 1) return sum;
  return p == 2 ? std::sqrt(sum) : std::pow(sum, 1.0F / static_cast<float>(p));
}

class LpPool final : public Op {
 public:
  // `window` of GlobalLpPool has no kernel.
  LpPool(WindowAttributes window, std::int64_t p) : window_(std::move(window)), p_(p) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    PBATCH_RETURN_IF_ERROR(expect_float(&x, "input X"));
    const std::vector<std::int64_t>* kernel = &window_.kernel;
    std::vector<std::int64_t> whole;
    if (kernel->empty()) {
      PBATCH_ASSIGN_OR_RETURN(whole, whole_image(x.shape()));
      kernel = &whole;
    }
    PBATCH_ASSIGN_OR_RETURN(const ConvGeometry geometry,
                            make_geometry(window_, x.shape(), *kernel));
    PBATCH_ASSIGN_OR_RETURN(StepPlan sums,
                            plan_pooling(Pooling::sum, geometry, DType::f32, Layout::plain));
    const TensorType y = sums.outputs[0];
    StepPlan plan = StepPlan::of(
        y,
        [sum = std::shared_ptr<Step>(std::move(sums.step)), p = p_, count = x.size(),
         results = product_of(y.shape, 0, y.shape.size())](const StepCall& call) -> Status {
          auto* const powers = static_cast<float*>(call.scratch);
          for (std::int64_t i = 0; i < count; ++i) {
            powers[i] = magnitude_power(call.input<float>(0)[i], p);
          }
          const void* const in[] = {powers};
          PBATCH_RETURN_IF_ERROR(
              sum->run({in, call.out, nullptr, nullptr, false, call.pool, call.buffers}));
          float* const norms = call.output<float>(0);
          for (std::int64_t i = 0; i < results; ++i) norms[i] = root(norms[i], p);
          return Status::ok();
        });
    plan.scratch_bytes = x.bytes();
    return plan;
  }

 private:
  WindowAttributes window_;
  std::int64_t p_;
};

Result<std::unique_ptr<Op>> make_pool_of_norms(const Node& node, WindowAttributes window) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t p, node.int_attr("p", 2));
  if (p < 1) {
    return Status(ErrorCode::malformed, "attribute p is " + std::to_string(p),
                  "use 1 or more, and export the network again");
  }
  return std::unique_ptr<Op>(new LpPool(std::move(window), p));
}

}  // namespace

Result<std::unique_ptr<Op>> make_lp_pool(const Graph&, const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(WindowAttributes window, read_window_attributes(node));
  PBATCH_RETURN_IF_ERROR(require_kernel(window));
  return make_pool_of_norms(node, std::move(window));
}

Result<std::unique_ptr<Op>> make_global_lp_pool(const Graph&, const Node& node) {
  return make_pool_of_norms(node, {});
}

}  // namespace pbatch
