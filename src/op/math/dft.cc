// DFT: discrete Fourier transforms of the vectors along an axis, forwards or back.
#include <algorithm>

#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/math/fourier.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

// x [outer][given][inner][parts] -> y [outer][made][inner][parts made]; a part is real or
// imaginary.
struct TransformedAxis {
  std::int64_t outer = 1, inner = 1, given = 0, made = 0, parts = 2, parts_made = 2;
  std::int64_t length = 0;  // of the transform
  bool inverse = false, onesided = false;

  void run(const StepCall& call) const {
    const FourierTransform transform(length, inverse, call.scratch);
    for (std::int64_t line = 0; line < outer * inner; ++line) {
      const std::int64_t o = line / inner, i = line % inner;
      read(call.input<float>(0) + (o * given * inner + i) * parts, transform.input());
      write(transform.run(), call.output<float>(0) + (o * made * inner + i) * parts_made);
    }
  }

  // What is missing is zeros, or half of it the conjugate of the other half.
  void read(const float* x, Complex* to) const {
    const std::int64_t known = inverse && onesided ? length / 2 + 1 : length;
    for (std::int64_t k = 0; k < known; ++k) {
      const float* const from = x + k * inner * parts;
      to[k] = k < given ? Complex{from[0], parts == 2 ? from[1] : 0.0} : Complex{};
    }
    for (std::int64_t k = known; k < length; ++k) to[k] = {to[length - k].re, -to[length - k].im};
  }

  void write(const Complex* result, float* y) const {
    const double divisor = inverse ? static_cast<double>(length) : 1.0;
    for (std::int64_t k = 0; k < made; ++k) {
      float* const to = y + k * inner * parts_made;
      to[0] = static_cast<float>(result[k].re / divisor);
      if (parts_made == 2) to[1] = static_cast<float>(result[k].im / divisor);
    }
  }
};

class Dft final : public Op {
 public:
  // `axis`: none if it is the third input, the last but one if that is absent.
  Dft(std::optional<std::int64_t> axis, bool inverse, bool onesided)
      : axis_(axis), inverse_(inverse), onesided_(onesided) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    PBATCH_RETURN_IF_ERROR(expect_float(&x, "the input"));
    for (std::size_t i = 1; i < request.inputs.size(); ++i) {
      if (request.inputs[i] != nullptr && !request.knows(i)) return StepPlan::not_yet();
    }
    if (x.rank() < 2 || (x.shape().back() != 1 && x.shape().back() != 2)) {
      return Status(ErrorCode::shape_mismatch,
                    "the input is " + shape_to_string(x.shape()) + ", no complex numbers",
                    "feed a last dimension of 1, or 2 for real and imaginary parts");
    }
    if (onesided_ && !inverse_ && x.shape().back() != 1) {
      return Status(ErrorCode::shape_mismatch, "onesided = 1 of complex numbers",
                    "feed real ones, with a last dimension of 1");
    }
    PBATCH_ASSIGN_OR_RETURN(const std::size_t axis, axis_of(request));
    TransformedAxis t;
    t.given = x.dim(axis);
    t.inverse = inverse_;
    t.onesided = onesided_;
    t.length = inverse_ && onesided_ ? 2 * (t.given - 1) : t.given;
    if (const Tensor* length = input_or_null(request.inputs, 1); length != nullptr) {
      PBATCH_ASSIGN_OR_RETURN(t.length, read_integer(*length, "dft_length"));
    }
    if (t.length < 1) {
      return Status(ErrorCode::invalid_argument,
                    "a transform of " + std::to_string(t.length) + " elements",
                    "feed a dft_length from 1 on");
    }
    PBATCH_RETURN_IF_ERROR(checked_element_count({t.length, 4}, sizeof(Complex)).status());
    t.outer = product_of(x.shape(), 0, axis);
    t.inner = product_of(x.shape(), axis + 1, x.rank() - 1);
    t.parts = x.shape().back();
    t.parts_made = inverse_ && onesided_ ? 1 : 2;
    t.made = onesided_ && !inverse_ ? t.length / 2 + 1 : t.length;
    Shape shape = x.shape();
    shape[axis] = t.made;
    shape.back() = t.parts_made;
    StepPlan plan = StepPlan::of({DType::f32, std::move(shape)}, [t](const StepCall& call) {
      t.run(call);
      return Status::ok();
    });
    plan.scratch_bytes = FourierTransform::work_bytes(t.length);
    return plan;
  }

 private:
  Result<std::size_t> axis_of(const PlanRequest& request) const {
    std::int64_t given = axis_.value_or(-2);
    if (const Tensor* axis = input_or_null(request.inputs, 2); axis != nullptr) {
      PBATCH_ASSIGN_OR_RETURN(given, read_integer(*axis, "the axis"));
    }
    const std::size_t rank = request.inputs[0]->rank();
    PBATCH_ASSIGN_OR_RETURN(const std::size_t axis, normalize_axis(given, rank));
    if (axis + 1 != rank) return axis;
    return Status(ErrorCode::invalid_argument,
                  "the axis is that of real and imaginary parts, " + std::to_string(given),
                  "choose another");
  }

  std::optional<std::int64_t> axis_;
  bool inverse_, onesided_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_dft(const Graph&, const Node& node) {
  const bool axis_is_input = node.opset >= 20;
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, axis_is_input ? 3 : 2));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t inverse, node.int_attr("inverse", 0));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t onesided, node.int_attr("onesided", 0));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t axis, node.int_attr("axis", 1));
  return std::unique_ptr<Op>(
      new Dft(axis_is_input ? std::nullopt : std::optional(axis), inverse != 0, onesided != 0));
}

}  // namespace pbatch
