// DequantizeLinear: y = (x - zero_point) scale.
#include "execute/op.h"
#include "execute/ops/float_checks.h"
#include "execute/ops/node_checks.h"
#include "execute/ops/scale_layout.h"

namespace pbatch {
namespace {

template <class T>
void dequantize(const ScaleLayout& layout, const Tensor& x, const Tensor& scale, const Tensor* zero,
                Tensor& y) {
  const auto* const from = x.data<T>();
  const auto* const scales = scale.data<float>();
  const auto* const zeros = zero != nullptr ? zero->data<T>() : nullptr;
  auto* const to = y.mutable_data<float>();
  layout.for_each_run([&](std::int64_t at, std::int64_t count, std::int64_t s, std::int64_t by) {
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t k = s + i * by;
      const std::int64_t centred =
          std::int64_t{from[at + i]} - (zeros != nullptr ? std::int64_t{zeros[k]} : 0);
      to[at + i] = static_cast<float>(centred) * scales[k];
    }
  });
}

class DequantizeLinear final : public Op {
 public:
  DequantizeLinear(std::int64_t axis, std::int64_t block_size)
      : axis_(axis), block_size_(block_size) {}

  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    const Tensor& x = *inputs[0];
    const Tensor& scale = *inputs[1];
    const Tensor* zero = input_or_null(inputs, 2);
    PBATCH_RETURN_IF_ERROR(expect_float(&scale, "x_scale"));
    if (zero != nullptr) {
      PBATCH_RETURN_IF_ERROR(expect_same_type("DequantizeLinear", x.dtype(), zero->dtype()));
      if (zero->size() != scale.size()) {
        return {ErrorCode::shape_mismatch, "x_zero_point and x_scale differ in shape",
                "export the network again"};
      }
    }
    PBATCH_ASSIGN_OR_RETURN(const ScaleLayout layout,
                            ScaleLayout::create(x.shape(), scale.shape(), axis_, block_size_));
    PBATCH_ASSIGN_OR_RETURN(outputs[0], context.allocate(DType::f32, x.shape()));
    switch (x.dtype()) {
      case DType::u8:
        dequantize<std::uint8_t>(layout, x, scale, zero, outputs[0]);
        break;
      case DType::i8:
        dequantize<std::int8_t>(layout, x, scale, zero, outputs[0]);
        break;
      case DType::u16:
        dequantize<std::uint16_t>(layout, x, scale, zero, outputs[0]);
        break;
      case DType::i16:
        dequantize<std::int16_t>(layout, x, scale, zero, outputs[0]);
        break;
      case DType::i32:
        dequantize<std::int32_t>(layout, x, scale, zero, outputs[0]);
        break;
      default:
        return unsupported_type("DequantizeLinear", x.dtype());
    }
    return Status::ok();
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
