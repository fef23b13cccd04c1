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

  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    const Tensor* x = input_or_null(inputs, 0);
    PBATCH_RETURN_IF_ERROR(expect_float(x, "the input"));
    std::size_t axis = 0;
    // Flattening may also leave nothing on the right: axis may equal the rank.
    if (!flattened_ || axis_ != static_cast<std::int64_t>(x->rank())) {
      PBATCH_ASSIGN_OR_RETURN(axis, normalize_axis(axis_, x->rank()));
    } else {
      axis = x->rank();
    }
    PBATCH_ASSIGN_OR_RETURN(outputs[0], context.allocate(DType::f32, x->shape()));
    if (x->size() == 0) return Status::ok();
    const std::size_t end_axis = flattened_ ? x->rank() : axis + 1;
    const std::int64_t count = product_of(x->shape(), axis, end_axis);
    const std::int64_t stride = product_of(x->shape(), end_axis, x->rank());
    const float* const from = x->data<float>();
    float* const to = outputs[0].mutable_data<float>();
    const auto vectors = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t v = begin; v < end; ++v) {
        const std::int64_t at = v / stride * count * stride + v % stride;
        softmax(from + at, count, stride, log_, to + at);
      }
    };
    context.pool.parallel_for(x->size() / count, 1 + kGrain / count, vectors);
    return Status::ok();
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
