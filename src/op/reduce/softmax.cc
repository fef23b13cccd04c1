// Softmax and LogSoftmax.
#include <algorithm>

#include "kernel/vector_fns.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

class Softmax final : public Op {
 public:
  // flattened: over all dimensions from the axis on, as before opset 13.
  Softmax(std::int64_t axis, bool flattened, bool log)
      : axis_(axis), flattened_(flattened), log_(log) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor* x = input_or_null(request.inputs, 0);
    PBATCH_RETURN_IF_ERROR(expect_float(x, "the input"));
    std::size_t axis = x->rank();
    // Flattening may also leave nothing on the right: axis may equal the rank.
    if (!flattened_ || axis_ != static_cast<std::int64_t>(x->rank())) {
      PBATCH_ASSIGN_OR_RETURN(axis, normalize_axis(axis_, x->rank()));
    }
    const std::size_t end_axis = flattened_ ? x->rank() : axis + 1;
    const std::int64_t count = product_of(x->shape(), axis, end_axis);
    const std::int64_t stride = product_of(x->shape(), end_axis, x->rank());
    const std::int64_t outer = x->size() == 0 ? 0 : x->size() / (count * stride);
    // Vectors side by side are taken together.
    const std::int64_t strips = (stride + kTogether - 1) / kTogether;
    const std::int64_t grain =
        1 + kGrain / std::max<std::int64_t>(1, count * std::min(stride, kTogether));
    if (stride == 1) {
      return StepPlan::tiled(
                 {DType::f32, x->shape()}, {outer, count, grain},
                 [this, count](const StepCall& call, std::int64_t begin, std::int64_t end) {
                   for (std::int64_t row = begin; row < end; ++row) {
                     vector_fns().softmax_row(count, log_ ? 1 : 0,
                                              call.input<float>(0) + row * count,
                                              call.output<float>(0) + row * count);
                   }
                   return Status::ok();
                 })
          .in_place_of(0);
    }
    return StepPlan::of({DType::f32, x->shape()},
                        [this, count, stride, outer, strips, grain](const StepCall& call) {
                          call.pool.parallel_for(
                              outer * strips, grain, [&](std::int64_t begin, std::int64_t end) {
                                for (std::int64_t s = begin; s < end; ++s) {
                                  const std::int64_t first = s % strips * kTogether;
                                  strip(call, s / strips * count * stride + first, count, stride,
                                        std::min(kTogether, stride - first));
                                }
                              });
                          return Status::ok();
                        })
        .in_place_of(0);
  }

 private:
  static constexpr std::int64_t kGrain = 1 << 12, kTogether = 16;

  // `vectors` vectors from element `at` on.
  void strip(const StepCall& call, std::int64_t at, std::int64_t count, std::int64_t stride,
             std::int64_t vectors) const {
    vector_fns().softmax_columns(count, stride, static_cast<int>(vectors), log_ ? 1 : 0,
                                 call.input<float>(0) + at, call.output<float>(0) + at);
  }

  std::int64_t axis_;
  bool flattened_, log_;
};

Result<std::unique_ptr<Op>> make_softmax_op(const Node& node, bool log) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
  const bool flattened = node.opset < 13;
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t axis, node.int_attr("axis", flattened ? 1 : -1));
  return std::unique_ptr<Op>(new Softmax(axis, flattened, log));
}

}  // namespace

Result<std::unique_ptr<Op>> make_softmax(const Graph&, const Node& node) {
  return make_softmax_op(node, false);
}

Result<std::unique_ptr<Op>> make_log_softmax(const Graph&, const Node& node) {
  return make_softmax_op(node, true);
}

}  // namespace pbatch
