// ConvInteger: a convolution of 8-bit codes less their zero points, computed in float32: exact
// while every sum stays within 2^24.
#include <algorithm>
#include <cmath>
#include <utility>

#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"
#include "op/scratch.h"

namespace pbatch {

Result<std::unique_ptr<Op>> make_conv(const Graph& graph, const Node& node);

namespace {

// Codes less their zero points, of which there is none, one, or one per channel.
struct ImageCentring {
  DType type = DType::u8;
  std::int64_t count = 0, zeros = 0, run = 1;

  static Result<ImageCentring> create(const Tensor& codes, const Tensor* zero) {
    if (codes.dtype() != DType::u8 && codes.dtype() != DType::i8) {
      return unsupported_type("ConvInteger", codes.dtype());
    }
    ImageCentring c{codes.dtype(), codes.size()};
    if (zero == nullptr) return c;
    PBATCH_RETURN_IF_ERROR(expect_same_type("ConvInteger", codes.dtype(), zero->dtype()));
    c.zeros = zero->size();
    if (c.zeros != 1 && (codes.rank() == 0 || c.zeros != codes.dim(0))) {
      return Status(ErrorCode::shape_mismatch, "a zero point is neither one nor one per channel",
                    "export the network again");
    }
    c.run = std::max<std::int64_t>(1, c.count / std::max<std::int64_t>(c.zeros, 1));
    return c;
  }

  template <class T>
  void fill(const void* codes, const void* zero, float* to) const {
    const T* const from = static_cast<const T*>(codes);
    const T* const z = static_cast<const T*>(zero);
    for (std::int64_t i = 0; i < count; ++i) {
      to[i] = static_cast<float>(from[i]) - (zeros == 0 ? 0.0F : static_cast<float>(z[i / run]));
    }
  }
  void apply(const void* codes, const void* zero, float* to) const {
    if (type == DType::u8) return fill<std::uint8_t>(codes, zero, to);
    fill<std::int8_t>(codes, zero, to);
  }
};

class ConvInteger final : public Op {
 public:
  explicit ConvInteger(std::unique_ptr<Op> conv) : conv_(std::move(conv)) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    const Tensor& w = *request.inputs[1];
    const Tensor* const x_zero = input_or_null(request.inputs, 2);
    const Tensor* const w_zero = input_or_null(request.inputs, 3);
    if (x_zero != nullptr && x_zero->size() != 1) {
      return Status(ErrorCode::unsupported, "x_zero_point of ConvInteger is not one number",
                    "export the network again");
    }
    PBATCH_ASSIGN_OR_RETURN(const ImageCentring of_x, ImageCentring::create(x, x_zero));
    PBATCH_ASSIGN_OR_RETURN(const ImageCentring of_w, ImageCentring::create(w, w_zero));
    const Tensor as_floats[] = {Tensor::view(DType::f32, x.shape(), nullptr, nullptr),
                                Tensor::view(DType::f32, w.shape(), nullptr, nullptr)};
    const Tensor* const floats[] = {&as_floats[0], &as_floats[1]};
    PBATCH_ASSIGN_OR_RETURN(StepPlan conv, conv_->plan({request.context, floats}));
    const TensorType y{DType::i32, conv.outputs[0].shape};
    const std::int64_t count = product_of(y.shape, 0, y.shape.size());
    ScratchLayout scratch;
    const std::size_t x_at = scratch.add<float>(x.size()), w_at = scratch.add<float>(w.size());
    const std::size_t sums_at = scratch.add<float>(count), own_at = scratch.add(conv.scratch_bytes);
    StepPlan plan = StepPlan::of(y, [=, zeros = std::pair(x_zero != nullptr, w_zero != nullptr),
                                     step = std::shared_ptr<const Step>(std::move(conv.step))](
                                        const StepCall& call) {
      float* const sums = scratch_at<float>(call, sums_at);
      of_x.apply(call.in[0], zeros.first ? call.in[2] : nullptr, scratch_at<float>(call, x_at));
      of_w.apply(call.in[1], zeros.second ? call.in[3] : nullptr, scratch_at<float>(call, w_at));
      const void* const in[4] = {scratch_at<float>(call, x_at), scratch_at<float>(call, w_at)};
      void* const out[] = {sums};
      StepCall inner = call;
      inner.in = in;
      inner.out = out;
      inner.scratch = scratch_at<char>(call, own_at);
      PBATCH_RETURN_IF_ERROR(step->run(inner));
      for (std::int64_t i = 0; i < count; ++i) {
        call.output<std::int32_t>(0)[i] = static_cast<std::int32_t>(std::lrint(sums[i]));
      }
      return Status::ok();
    });
    plan.scratch_bytes = scratch.bytes();
    return plan;
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
