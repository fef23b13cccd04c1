// Functions of one float with an exponential in them: kernel/vectors.h computes them.
#include <string>

#include "execute/op.h"
#include "execute/ops/float_checks.h"
#include "execute/ops/node_checks.h"
#include "execute/vector_fns.h"

namespace pbatch {
namespace {

class VectorFunctionOp final : public Op {
 public:
  VectorFunctionOp(VectorFunction function, VectorParams params, std::string op_type)
      : function_(function), params_(params), op_type_(std::move(op_type)) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    if (x.dtype() != DType::f32) return unsupported_type(op_type_, x.dtype());
    return StepPlan::of(
               {DType::f32, x.shape()},
               [this, count = x.size()](const StepCall& call) {
                 const float* const from = call.input<float>(0);
                 float* const to = call.output<float>(0);
                 call.pool.parallel_for(count, kGrain, [&](std::int64_t begin, std::int64_t end) {
                   vector_fns().apply(function_, end - begin, from + begin, &params_, to + begin);
                 });
                 return Status::ok();
               })
        .in_place_of(0)
        .in_layout(request.layout(0));
  }

  Layout wanted_layout(const PlanRequest& request, std::size_t i) const override {
    return request.layout(i);
  }

 private:
  static constexpr std::int64_t kGrain = 1 << 13;

  VectorFunction function_;
  VectorParams params_;
  std::string op_type_;
};

using Made = Result<std::unique_ptr<Op>>;

Made make(const Node& node, VectorFunction function, VectorParams params = {}) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
  return std::unique_ptr<Op>(new VectorFunctionOp(function, params, node.op_type));
}

}  // namespace

Made make_exp(const Graph&, const Node& node) { return make(node, kVectorExp); }
Made make_tanh(const Graph&, const Node& node) { return make(node, kVectorTanh); }
Made make_sigmoid(const Graph&, const Node& node) { return make(node, kVectorSigmoid); }
Made make_erf(const Graph&, const Node& node) { return make(node, kVectorErf); }
Made make_mish(const Graph&, const Node& node) { return make(node, kVectorMish); }

Made make_swish(const Graph&, const Node& node) {
  VectorParams params{};
  PBATCH_ASSIGN_OR_RETURN(params.a, node.float_attr("alpha", 1.0F));
  return make(node, kVectorSwish, params);
}

Made make_elu(const Graph&, const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const float alpha, node.float_attr("alpha", 1.0F));
  return make(node, kVectorElu, {alpha, 1, 1});
}

Made make_selu(const Graph&, const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const float alpha, node.float_attr("alpha", 1.67326319217681884765625F));
  PBATCH_ASSIGN_OR_RETURN(const float gamma, node.float_attr("gamma", 1.05070102214813232421875F));
  return make(node, kVectorElu, {gamma * alpha, 1, gamma});
}

Made make_celu(const Graph&, const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const float alpha, node.float_attr("alpha", 1.0F));
  return make(node, kVectorElu, {alpha, 1 / alpha, 1});
}

Made make_gelu(const Graph&, const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const std::string approximate, node.string_attr("approximate", "none"));
  if (approximate == "none") return make(node, kVectorGelu);
  if (approximate == "tanh") return make(node, kVectorGeluTanh);
  return Status(ErrorCode::unsupported, "approximate = '" + approximate + "' of Gelu is not known",
                "use 'none' or 'tanh'");
}

}  // namespace pbatch
