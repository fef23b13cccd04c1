// LayerNormalization: each vector of the trailing dimensions gets mean 0 and deviation 1.
#include <algorithm>

#include "execute/op.h"
#include "execute/ops/float_checks.h"
#include "execute/ops/node_checks.h"
#include "execute/ops/normalize.h"

namespace pbatch {
namespace {

// Whether `tensor` holds one number per element of the trailing dimensions.
bool covers(const Tensor& tensor, const Shape& x, std::size_t axis) {
  const Shape& own = tensor.shape();
  const std::size_t rank = x.size() - axis;
  if (own.size() < rank) return false;
  const auto tail = own.end() - static_cast<std::ptrdiff_t>(rank);
  return std::all_of(own.begin(), tail, [](std::int64_t d) { return d == 1; }) &&
         std::equal(tail, own.end(), x.begin() + static_cast<std::ptrdiff_t>(axis));
}

class LayerNormalization final : public Op {
 public:
  LayerNormalization(std::int64_t axis, float epsilon) : axis_(axis), epsilon_(epsilon) {}

  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    const Tensor* x = input_or_null(inputs, 0);
    const Tensor* scale = input_or_null(inputs, 1);
    const Tensor* bias = input_or_null(inputs, 2);
    PBATCH_RETURN_IF_ERROR(expect_float(x, "input X"));
    PBATCH_RETURN_IF_ERROR(expect_float(scale, "Scale"));
    if (bias != nullptr) PBATCH_RETURN_IF_ERROR(expect_float(bias, "B"));
    PBATCH_ASSIGN_OR_RETURN(const std::size_t axis, normalize_axis(axis_, x->rank()));
    for (const Tensor* t : {scale, bias}) {
      if (t == nullptr || covers(*t, x->shape(), axis)) continue;
      return {ErrorCode::shape_mismatch,
              "Scale or B " + shape_to_string(t->shape()) + " does not cover the dimensions of X " +
                  shape_to_string(x->shape()) + " from axis " + std::to_string(axis) + " on",
              "feed the shape that the network was trained on"};
    }
    PBATCH_ASSIGN_OR_RETURN(outputs[0], context.allocate(DType::f32, x->shape()));
    Shape statistics = x->shape();
    for (std::size_t i = axis; i < statistics.size(); ++i) statistics[i] = 1;
    float* statistic[2] = {nullptr, nullptr};
    for (std::size_t i = 1; i < outputs.size() && i < 3; ++i) {
      PBATCH_ASSIGN_OR_RETURN(outputs[i], context.allocate(DType::f32, statistics));
      statistic[i - 1] = outputs[i].mutable_data<float>();
    }
    if (x->size() == 0) return Status::ok();
    const std::int64_t size = product_of(x->shape(), axis, x->rank());
    const float* const factor = scale->data<float>();
    const float* const offset = bias != nullptr ? bias->data<float>() : nullptr;
    const float* const from = x->data<float>();
    float* const to = outputs[0].mutable_data<float>();
    const auto normalize = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t v = begin; v < end; ++v) {
        const float* const in = from + v * size;
        float* const out = to + v * size;
        const Moments m = moments_of(in, size, epsilon_);
        for (std::int64_t i = 0; i < size; ++i) {
          out[i] = (in[i] - m.mean) * m.inverse_deviation * factor[i];
        }
        for (std::int64_t i = 0; i < size && offset != nullptr; ++i) out[i] += offset[i];
        if (statistic[0] != nullptr) statistic[0][v] = m.mean;
        if (statistic[1] != nullptr) statistic[1][v] = m.inverse_deviation;
      }
    };
    context.pool.parallel_for(x->size() / size, 1 + kGrain / size, normalize);
    return Status::ok();
  }

 private:
  static constexpr std::int64_t kGrain = 1 << 13;

  std::int64_t axis_;
  float epsilon_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_layer_normalization(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 3, 3));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t axis, node.int_attr("axis", -1));
  PBATCH_ASSIGN_OR_RETURN(const float epsilon, node.float_attr("epsilon", 1e-5F));
  return std::unique_ptr<Op>(new LayerNormalization(axis, epsilon));
}

}  // namespace pbatch
