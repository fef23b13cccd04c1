// LayerNormalization: each vector of the trailing dimensions gets mean 0 and deviation 1.
#include <algorithm>

#include "kernel/vector_fns.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"
#include "op/reduce/normalize.h"

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

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor* x = input_or_null(request.inputs, 0);
    const Tensor* scale = input_or_null(request.inputs, 1);
    const Tensor* bias = input_or_null(request.inputs, 2);
    PBATCH_RETURN_IF_ERROR(expect_float(x, "input X"));
    PBATCH_RETURN_IF_ERROR(expect_float(scale, "Scale"));
    if (bias != nullptr) PBATCH_RETURN_IF_ERROR(expect_float(bias, "B"));
    PBATCH_ASSIGN_OR_RETURN(const std::size_t axis, normalize_axis(axis_, x->rank()));
    for (const Tensor* t : {scale, bias}) {
      if (t == nullptr || covers(*t, x->shape(), axis)) continue;
      return Status(ErrorCode::shape_mismatch,
                    "Scale or B " + shape_to_string(t->shape()) +
                        " does not cover the dimensions of X " + shape_to_string(x->shape()) +
                        " from axis " + std::to_string(axis) + " on",
                    "feed the shape that the network was trained on");
    }
    Shape statistics = x->shape();
    for (std::size_t i = axis; i < statistics.size(); ++i) statistics[i] = 1;
    std::vector<TensorType> outputs{{DType::f32, x->shape()}};
    outputs.resize(std::min<std::size_t>(request.outputs, 3), {DType::f32, statistics});
    Vectors vectors{product_of(x->shape(), axis, x->rank()), 0, epsilon_, bias != nullptr,
                    outputs.size()};
    if (x->size() != 0) vectors.count = x->size() / vectors.size;
    const std::int64_t grain = 1 + kGrain / std::max<std::int64_t>(1, vectors.size);
    if (outputs.size() == 1) {
      return StepPlan::tiled(std::move(outputs[0]), {vectors.count, vectors.size, grain},
                             [vectors](const StepCall& call, std::int64_t begin, std::int64_t end) {
                               vectors.normalize(call, begin, end);
                               return Status::ok();
                             })
          .in_place_of(0);
    }
    return StepPlan::of(std::move(outputs), [vectors, grain](const StepCall& call) {
      call.pool.parallel_for(vectors.count, grain, [&](std::int64_t begin, std::int64_t end) {
        vectors.normalize(call, begin, end);
      });
      return Status::ok();
    });
  }

 private:
  static constexpr std::int64_t kGrain = 1 << 13;

  struct Vectors {
    std::int64_t size, count;
    float epsilon;
    bool has_bias;
    std::size_t outputs;

    void normalize(const StepCall& call, std::int64_t begin, std::int64_t end) const {
      const float* const factor = call.input<float>(1);
      for (std::int64_t v = begin; v < end; ++v) {
        const float* const in = call.input<float>(0) + v * size;
        float* const out = call.output<float>(0) + v * size;
        const Moments m = moments_of(in, size, epsilon);
        vector_fns().normalize(size, in, m.mean, m.inverse_deviation, factor,
                               has_bias ? call.input<float>(2) : nullptr, out);
        if (outputs > 1) call.output<float>(1)[v] = m.mean;
        if (outputs > 2) call.output<float>(2)[v] = m.inverse_deviation;
      }
    }
  };

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
