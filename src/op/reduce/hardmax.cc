// Hardmax: 1 at the first greatest element along an axis, else 0.
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

class Hardmax final : public Op {
 public:
  Hardmax(std::int64_t axis, bool flattened) : axis_(axis), flattened_(flattened) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    PBATCH_RETURN_IF_ERROR(expect_float(&x, "the input"));
    PBATCH_ASSIGN_OR_RETURN(const std::size_t axis, normalize_axis(axis_, x.rank()));
    const std::int64_t stride = flattened_ ? 1 : product_of(x.shape(), axis + 1, x.rank());
    const std::int64_t count = flattened_ ? product_of(x.shape(), axis, x.rank()) : x.dim(axis);
    const std::int64_t vectors = x.size() == 0 ? 0 : x.size() / count;
    return StepPlan::of({DType::f32, x.shape()}, [stride, count, vectors](const StepCall& call) {
      for (std::int64_t v = 0; v < vectors; ++v) {
        const std::int64_t at = v / stride * stride * count + v % stride;
        const float* const from = call.input<float>(0) + at;
        float* const to = call.output<float>(0) + at;
        std::int64_t best = 0;
        for (std::int64_t i = 0; i < count; ++i) {
          if (from[i * stride] > from[best * stride]) best = i;
          to[i * stride] = 0.0F;
        }
        to[best * stride] = 1.0F;
      }
      return Status::ok();
    });
  }

 private:
  std::int64_t axis_;
  bool flattened_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_hardmax(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
  const bool flattened = node.opset < 13;
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t axis, node.int_attr("axis", flattened ? 1 : -1));
  return std::unique_ptr<Op>(new Hardmax(axis, flattened));
}

}  // namespace pbatch
