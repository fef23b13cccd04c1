// ConvInteger: a convolution of 8-bit codes less their zero points, computed in float32: exact
// while every sum stays within 2^24.
#include <cmath>

#include "execute/op.h"
#include "execute/ops/convert.h"
#include "execute/ops/float_checks.h"
#include "execute/ops/node_checks.h"

namespace pbatch {

Result<std::unique_ptr<Op>> make_conv(const Graph& graph, const Node& node);

namespace {

Result<Tensor> centred(const RunContext& context, const Tensor& codes, const Tensor* zero) {
  if (codes.dtype() != DType::u8 && codes.dtype() != DType::i8) {
    return unsupported_type("ConvInteger", codes.dtype());
  }
  PBATCH_ASSIGN_OR_RETURN(Tensor values, context.allocate(DType::f32, codes.shape()));
  PBATCH_ASSIGN_OR_RETURN(const Tensor from, convert(context, codes, DType::f32));
  if (zero == nullptr) return from;
  PBATCH_RETURN_IF_ERROR(expect_same_type("ConvInteger", codes.dtype(), zero->dtype()));
  PBATCH_ASSIGN_OR_RETURN(const Tensor zeros, convert(context, *zero, DType::f32));
  const std::int64_t count = zeros.size();
  if (count != 1 && (codes.rank() == 0 || count != codes.dim(0))) {
    return Status(ErrorCode::shape_mismatch, "a zero point is neither one nor one per channel",
                  "export the network again");
  }
  const std::int64_t run = codes.size() / std::max<std::int64_t>(count, 1);
  for (std::int64_t i = 0; i < codes.size(); ++i) {
    values.mutable_data<float>()[i] = from.data<float>()[i] - zeros.data<float>()[i / run];
  }
  return values;
}

class ConvInteger final : public Op {
 public:
  explicit ConvInteger(std::unique_ptr<Op> conv) : conv_(std::move(conv)) {}

  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    const Tensor* zero = input_or_null(inputs, 2);
    if (zero != nullptr && zero->size() != 1) {
      return {ErrorCode::unsupported, "x_zero_point of ConvInteger is not one number",
              "export the network again"};
    }
    PBATCH_ASSIGN_OR_RETURN(const Tensor x, centred(context, *inputs[0], zero));
    PBATCH_ASSIGN_OR_RETURN(const Tensor w, centred(context, *inputs[1], input_or_null(inputs, 3)));
    const Tensor* const floats[] = {&x, &w};
    Tensor sums;
    PBATCH_RETURN_IF_ERROR(conv_->run(context, floats, {&sums, 1}));
    PBATCH_ASSIGN_OR_RETURN(outputs[0], context.allocate(DType::i32, sums.shape()));
    for (std::int64_t i = 0; i < sums.size(); ++i) {
      outputs[0].mutable_data<std::int32_t>()[i] =
          static_cast<std::int32_t>(std::lrint(sums.data<float>()[i]));
    }
    return Status::ok();
  }

 private:
  std::unique_ptr<Op> conv_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_conv_integer(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 4));
  Node conv = node;
  conv.inputs.resize(2);
  PBATCH_ASSIGN_OR_RETURN(std::unique_ptr<Op> op, make_conv(Graph{}, conv));
  return std::unique_ptr<Op>(new ConvInteger(std::move(op)));
}

}  // namespace pbatch
