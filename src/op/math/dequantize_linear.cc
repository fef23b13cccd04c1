// DequantizeLinear: y = (x - zero_point) scale.
#include <type_traits>

#include "op/float_checks.h"
#include "op/math/scale_layout.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

template <class T>
StepPlan plan_dequantize(const ScaleLayout& layout, const Shape& shape, bool has_zeros) {
  return StepPlan::of({DType::f32, shape}, [layout, has_zeros](const StepCall& call) {
    const T* const from = call.input<T>(0);
    const float* const scales = call.input<float>(1);
    const T* const zeros = has_zeros ? call.input<T>(2) : nullptr;
    float* const to = call.output<float>(0);
    layout.for_each_run([&](std::int64_t at, std::int64_t count, std::int64_t s, std::int64_t by) {
      for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t k = s + i * by;
        using Wide = std::conditional_t<std::is_same_v<T, float>, float, std::int64_t>;
        const Wide centred = Wide{from[at + i]} - (zeros != nullptr ? Wide{zeros[k]} : Wide{0});
        to[at + i] = static_cast<float>(centred) * scales[k];
      }
    });
    return Status::ok();
  });
}

class DequantizeLinear final : public Op {
 public:
  DequantizeLinear(std::int64_t axis, std::int64_t block_size)
      : axis_(axis), block_size_(block_size) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    const Tensor& scale = *request.inputs[1];
    const Tensor* zero = input_or_null(request.inputs, 2);
    PBATCH_RETURN_IF_ERROR(expect_float(&scale, "x_scale"));
    if (zero != nullptr) {
      PBATCH_RETURN_IF_ERROR(expect_same_type("DequantizeLinear", x.dtype(), zero->dtype()));
      if (zero->size() != scale.size()) {
        return Status(ErrorCode::shape_mismatch, "x_zero_point and x_scale differ in shape",
                      "export the network again");
      }
    }
    PBATCH_ASSIGN_OR_RETURN(const ScaleLayout layout,
                            ScaleLayout::create(x.shape(), scale.shape(), axis_, block_size_));
    switch (x.dtype()) {
      case DType::u8:
        return plan_dequantize<std::uint8_t>(layout, x.shape(), zero != nullptr);
      case DType::i8:
        return plan_dequantize<std::int8_t>(layout, x.shape(), zero != nullptr);
      case DType::u16:
        return plan_dequantize<std::uint16_t>(layout, x.shape(), zero != nullptr);
      case DType::i16:
        return plan_dequantize<std::int16_t>(layout, x.shape(), zero != nullptr);
      case DType::i32:
        return plan_dequantize<std::int32_t>(layout, x.shape(), zero != nullptr);
      case DType::f32:  // a narrow float (graph/narrow_types.h)
        return plan_dequantize<float>(layout, x.shape(), zero != nullptr);
      default:
        return unsupported_type("DequantizeLinear", x.dtype());
    }
  }

 private:
  std::int64_t axis_, block_size_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_dequantize_linear(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 3));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t axis, node.int_attr("axis", 1));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t block_size, node.int_attr("block_size", 0));
  return std::unique_ptr<Op>(new DequantizeLinear(axis, block_size));
}

}  // namespace pbatch
