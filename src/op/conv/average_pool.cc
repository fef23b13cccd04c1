// AveragePool and GlobalAveragePool.
#include "op/conv/global_window.h"
#include "op/conv/pooling.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

class AveragePool final : public Op {
 public:
  AveragePool(WindowAttributes window, bool with_padding)
      : window_(std::move(window)),
        pooling_(with_padding ? Pooling::average_with_padding : Pooling::average) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor* x = input_or_null(request.inputs, 0);
    PBATCH_RETURN_IF_ERROR(expect_float(x, "input X"));
    PBATCH_ASSIGN_OR_RETURN(const ConvGeometry geometry,
                            make_geometry(window_, x->shape(), window_.kernel));
    return plan_pooling(pooling_, geometry, DType::f32, request.layout(0));
  }

  Layout wanted_layout(const PlanRequest& request, std::size_t i) const override {
    return request.layout(i);
  }

 private:
  WindowAttributes window_;
  Pooling pooling_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_average_pool(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
  PBATCH_ASSIGN_OR_RETURN(WindowAttributes window, read_window_attributes(node));
  PBATCH_RETURN_IF_ERROR(require_kernel(window));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t with_padding, node.int_attr("count_include_pad", 0));
  return std::unique_ptr<Op>(new AveragePool(std::move(window), with_padding != 0));
}

Result<std::unique_ptr<Op>> make_global_average_pool(const Graph&, const Node& node) {
  return make_global_pool(node, Pooling::average);
}

}  // namespace pbatch
