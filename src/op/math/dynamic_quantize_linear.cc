// DynamicQuantizeLinear: uint8 codes of a range that holds the input and 0.
#include <algorithm>
#include <cmath>

#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

class DynamicQuantizeLinear final : public Op {
 public:
  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    PBATCH_RETURN_IF_ERROR(expect_float(&x, "input x"));
    std::vector<TensorType> outputs{{DType::u8, x.shape()}, {DType::f32, {}}, {DType::u8, {}}};
    return StepPlan::of(std::move(outputs), [count = x.size()](const StepCall& call) -> Status {
      const float* const from = call.input<float>(0);
      float least = 0.0F, most = 0.0F;
      for (std::int64_t i = 0; i < count; ++i) {
        if (!std::isfinite(from[i])) {
          return {ErrorCode::not_finite, "the input of DynamicQuantizeLinear is not finite",
                  "feed finite numbers"};
        }
        least = std::min(least, from[i]);
        most = std::max(most, from[i]);
      }
      const float range = (most - least) / 255.0F;
      const float scale = range > 0.0F ? range : 1.0F;
      const float zero = std::nearbyint(std::clamp(-least / scale, 0.0F, 255.0F));
      for (std::int64_t i = 0; i < count; ++i) {
        const float code = std::nearbyint(from[i] / scale) + zero;
        call.output<std::uint8_t>(0)[i] = static_cast<std::uint8_t>(std::clamp(code, 0.0F, 255.0F));
      }
      *call.output<float>(1) = scale;
      *call.output<std::uint8_t>(2) = static_cast<std::uint8_t>(zero);
      return Status::ok();
    });
  }
};

}  // namespace

Result<std::unique_ptr<Op>> make_dynamic_quantize_linear(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1, 3));
  return std::unique_ptr<Op>(new DynamicQuantizeLinear);
}

}  // namespace pbatch
