// Softmax and LogSoftmax.
#include <algorithm>
#include <cmath>

#include "execute/op.h"
#include "execute/ops/float_checks.h"
#include "execute/ops/node_checks.h"

namespace pbatch {
namespace {

// One vector of `count` elements that lie `stride` apart. NaN spreads to all of it.
void softmax(const float* x, std::int64_t count, std::int64_t stride, bool log, float* y) {
  float most = x[0];
  for (std::int64_t i = 1; i < count; ++i) most = std::max(most, x[i * stride]);
  double sum = 0.0;
  for (std::int64_t i = 0; i < count; ++i) {
    const float e = std::exp(x[i * stride] - most);
    if (!log) y[i * stride] = e;
    sum += static_cast<double>(e);
  }
  const auto log_sum = static_cast<float>(std::log(sum));
  const auto inverse = static_cast<float>(1.0 / sum);
  for (std::int64_t i = 0; i < count; ++i) {
    y[i * stride] = log ? x[i * stride] - most - log_sum : y[i * stride] * inverse;
  }
}

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
    const std::int64_t vectors = x->size() == 0 ? 0 : x->size() / count;
    return StepPlan::of({DType::f32, x->shape()}, [count, stride, vectors,
                                                   log = log_](const StepCall& call) {
      const float* const from = call.input<float>(0);
      float* const to = call.output<float>(0);
      call.pool.parallel_for(vectors, 1 + kGrain / std::max<std::int64_t>(1, count),
                             [&](std::int64_t begin, std::int64_t end) {
                               for (std::int64_t v = begin; v < end; ++v) {
                                 const std::int64_t at = v / stride * count * stride + v % stride;
                                 softmax(from + at, count, stride, log, to + at);
                               }
                             });
      return Status::ok();
    });
  }

 private:
  static constexpr std::int64_t kGrain = 1 << 12;

  std::int64_t axis_;
  bool flattened_, log_;
};

Result<std::unique_ptr<Op>> make(const Node& node, bool log) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
  const bool flattened = node.opset < 13;
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t axis, node.int_attr("axis", flattened ? 1 : -1));
  return std::unique_ptr<Op>(new Softmax(axis, flattened, log));
}

}  // namespace

Result<std::unique_ptr<Op>> make_softmax(const Graph&, const Node& node) {
  return make(node, false);
}

Result<std::unique_ptr<Op>> make_log_softmax(const Graph&, const Node& node) {
  return make(node, true);
}

}  // namespace pbatch
