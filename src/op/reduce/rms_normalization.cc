// pbatch.RmsNormalization: each vector of the last dimension gets a mean square of 1, then a scale.
#include <algorithm>
#include <cmath>

#include "kernel/vector_fns.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

class RmsNormalization final : public Op {
 public:
  explicit RmsNormalization(float epsilon) : epsilon_(epsilon) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    constexpr std::int64_t kGrain = 1 << 13;
    const Tensor* x = input_or_null(request.inputs, 0);
    const Tensor* scale = input_or_null(request.inputs, 1);
    PBATCH_RETURN_IF_ERROR(expect_float(x, "input X"));
    PBATCH_RETURN_IF_ERROR(expect_float(scale, "scale"));
    if (x->rank() == 0 || scale->shape() != Shape{x->shape().back()}) {
      return Status(ErrorCode::shape_mismatch,
                    "scale " + shape_to_string(scale->shape()) +
                        " does not cover the last dimension of X " + shape_to_string(x->shape()),
                    "feed the shape that the network was trained on");
    }
    const std::int64_t size = x->shape().back();
    const std::int64_t count = size == 0 ? 0 : x->size() / size;
    return StepPlan::tiled(
               {DType::f32, x->shape()},
               {count, size, 1 + kGrain / std::max<std::int64_t>(1, size)},
               [size, epsilon = epsilon_](const StepCall& call, std::int64_t begin,
                                          std::int64_t end) {
                 const VectorFns& fns = vector_fns();
                 for (std::int64_t v = begin; v < end; ++v) {
                   const float* const in = call.input<float>(0) + v * size;
                   const double mean = fns.squares(size, in, 0.0) / static_cast<double>(size);
                   const double root = std::sqrt(mean + static_cast<double>(epsilon));
                   fns.normalize(size, in, 0.0F, static_cast<float>(1.0 / root),
                                 call.input<float>(1), nullptr, call.output<float>(0) + v * size);
                 }
                 return Status::ok();
               })
        .in_place_of(0);
  }

 private:
  float epsilon_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_rms_normalization(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 2));
  PBATCH_ASSIGN_OR_RETURN(const float epsilon, node.float_attr("epsilon", 1e-5F));
  return std::unique_ptr<Op>(new RmsNormalization(epsilon));
}

}  // namespace pbatch
