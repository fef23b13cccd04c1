// DynamicQuantizeLinear: uint8 codes of a range that holds the input and 0.
#include <algorithm>
#include <cmath>

#include "execute/op.h"
#include "execute/ops/float_checks.h"
#include "execute/ops/node_checks.h"

namespace pbatch {
namespace {

class DynamicQuantizeLinear final : public Op {
 public:
  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    const Tensor& x = *inputs[0];
    PBATCH_RETURN_IF_ERROR(expect_float(&x, "input x"));
    Tensor codes, scales, zeros;
    PBATCH_ASSIGN_OR_RETURN(codes, context.allocate(DType::u8, x.shape()));
    PBATCH_ASSIGN_OR_RETURN(scales, context.allocate(DType::f32, {}));
    PBATCH_ASSIGN_OR_RETURN(zeros, context.allocate(DType::u8, {}));
    float least = 0.0F, most = 0.0F;
    for (const float v : x.span<float>()) {
      if (!std::isfinite(v)) {
        return {ErrorCode::not_finite, "the input of DynamicQuantizeLinear is not finite",
                "feed finite numbers"};
      }
      least = std::min(least, v);
      most = std::max(most, v);
    }
    const float range = (most - least) / 255.0F;
    const float scale = range > 0.0F ? range : 1.0F;
    const float zero = std::nearbyint(std::clamp(-least / scale, 0.0F, 255.0F));
    for (std::int64_t i = 0; i < x.size(); ++i) {
      const float code = std::nearbyint(x.data<float>()[i] / scale) + zero;
      codes.mutable_data<std::uint8_t>()[i] =
          static_cast<std::uint8_t>(std::clamp(code, 0.0F, 255.0F));
    }
    *scales.mutable_data<float>() = scale;
    *zeros.mutable_data<std::uint8_t>() = static_cast<std::uint8_t>(zero);
    Tensor* const made[] = {&codes, &scales, &zeros};
    for (std::size_t i = 0; i < outputs.size(); ++i) outputs[i] = std::move(*made[i]);
    return Status::ok();
  }
};

}  // namespace

Result<std::unique_ptr<Op>> make_dynamic_quantize_linear(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1, 3));
  return std::unique_ptr<Op>(new DynamicQuantizeLinear);
}

}  // namespace pbatch
