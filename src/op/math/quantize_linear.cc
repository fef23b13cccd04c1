// QuantizeLinear: y = saturate(round(x / scale) + zero_point), halves to even.
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "graph/narrow_types.h"
#include "graph/onnx_dtype.h"
#include "op/float_checks.h"
#include "op/math/scale_layout.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

// To integers of a range; NaN becomes the least code.
template <class T>
struct ToIntegers {
  float least = static_cast<float>(std::numeric_limits<T>::lowest());
  float most = static_cast<float>(std::numeric_limits<T>::max());

  T operator()(float x, float scale, T zero) const {
    const float y = std::nearbyint(x / scale) + static_cast<float>(zero);
    return static_cast<T>(y >= most ? most : y > least ? y : least);
  }
};

// To the values of a narrow float type.
struct ToNarrowFloats {
  const NarrowType* type;
  bool saturate;

  float operator()(float x, float scale, float zero) const {
    return nearest_narrow(*type, x / scale + zero, saturate);
  }
};

bool is_code(DType type) {
  return type == DType::u8 || type == DType::i8 || type == DType::u16 || type == DType::i16;
}

template <class T, class To>
StepPlan plan_quantize(const ScaleLayout& layout, const TensorType& y, bool has_zeros,
                       To quantized) {
  return StepPlan::of(y, [layout, has_zeros, quantized](const StepCall& call) {
    const float* const from = call.input<float>(0);
    const float* const scales = call.input<float>(1);
    const T* const zeros = has_zeros ? call.input<T>(2) : nullptr;
    T* const to = call.output<T>(0);
    layout.for_each_run([&](std::int64_t at, std::int64_t count, std::int64_t s, std::int64_t by) {
      for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t k = s + i * by;
        to[at + i] = quantized(from[at + i], scales[k], zeros != nullptr ? zeros[k] : T{0});
      }
    });
    return Status::ok();
  });
}

class QuantizeLinear final : public Op {
 public:
  QuantizeLinear(std::int64_t axis, std::int64_t block_size, std::optional<DType> type,
                 const NarrowType* narrow, bool saturate)
      : axis_(axis), block_size_(block_size), type_(type), narrow_(narrow), saturate_(saturate) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    const Tensor& scale = *request.inputs[1];
    const Tensor* zero = input_or_null(request.inputs, 2);
    PBATCH_RETURN_IF_ERROR(expect_float(&x, "input x"));
    PBATCH_RETURN_IF_ERROR(expect_float(&scale, "y_scale"));
    const DType type = zero != nullptr ? zero->dtype() : type_.value_or(DType::u8);
    if (narrow_ != nullptr ? type != narrow_->held : !is_code(type)) {
      return unsupported_type("QuantizeLinear", type);
    }
    if (zero != nullptr && zero->size() != scale.size()) {
      return Status(ErrorCode::shape_mismatch, "y_zero_point and y_scale differ in shape",
                    "export the network again");
    }
    PBATCH_ASSIGN_OR_RETURN(const ScaleLayout layout,
                            ScaleLayout::create(x.shape(), scale.shape(), axis_, block_size_));
    const TensorType y{type, x.shape()};
    switch (type) {
      case DType::u8:
        return plan_integers<std::uint8_t>(layout, y, zero != nullptr);
      case DType::i8:
        return plan_integers<std::int8_t>(layout, y, zero != nullptr);
      case DType::u16:
        return plan_integers<std::uint16_t>(layout, y, zero != nullptr);
      case DType::i16:
        return plan_integers<std::int16_t>(layout, y, zero != nullptr);
      default:
        return plan_quantize<float>(layout, y, zero != nullptr, ToNarrowFloats{narrow_, saturate_});
    }
  }

 private:
  template <class T>
  StepPlan plan_integers(const ScaleLayout& layout, const TensorType& y, bool has_zeros) const {
    ToIntegers<T> to;
    if (narrow_ != nullptr) {
      to.least = static_cast<float>(least_narrow(*narrow_));
      to.most = static_cast<float>(greatest_narrow(*narrow_));
    }
    return plan_quantize<T>(layout, y, has_zeros, to);
  }

  std::int64_t axis_, block_size_;
  std::optional<DType> type_;  // that attribute output_dtype names
  const NarrowType* narrow_;   // if that is a narrow one
  bool saturate_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_quantize_linear(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 3));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t axis, node.int_attr("axis", 1));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t block_size, node.int_attr("block_size", 0));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t code, node.int_attr("output_dtype", 0));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t saturate, node.int_attr("saturate", 1));
  const NarrowType* const narrow = narrow_type(code);
  const std::optional<DType> type = dtype_from_onnx(held_code(code));
  const bool can =
      narrow != nullptr ? is_rounded_to(*narrow) : code == 0 || (type && is_code(*type));
  if (!can) {
    return Status(ErrorCode::unsupported, "QuantizeLinear to " + onnx_type_name(code),
                  "quantize to integers of 2 to 16 bits or floats of 4 or 8");
  }
  return std::unique_ptr<Op>(new QuantizeLinear(axis, block_size, type, narrow, saturate != 0));
}

}  // namespace pbatch
