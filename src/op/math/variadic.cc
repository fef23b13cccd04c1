// Min, Max, Sum and Mean of one input or more.
#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "kernel/element_functions.h"
#include "op/math/arithmetic.h"
#include "op/math/element_function.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

struct SmallerOf {
  static constexpr bool kPartial = false;
  template <class T>
  static T apply(T a, T b) {
    return smaller_of(a, b);
  }
};

struct LargerOf {
  static constexpr bool kPartial = false;
  template <class T>
  static T apply(T a, T b) {
    return larger_of(a, b);
  }
};

constexpr BinaryTable kSmaller =
    with_floats<ElementFunction::min>(binary_table<SmallerOf>(IntegerTypes{}));
constexpr BinaryTable kLarger =
    with_floats<ElementFunction::max>(binary_table<LargerOf>(IntegerTypes{}));

// A loop for every input but the first, each over what came out of the one before.
class Variadic final : public Op {
 public:
  Variadic(const BinaryTable& table, std::string op_type, bool mean)
      : table_(table), op_type_(std::move(op_type)), mean_(mean) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const std::span<const Tensor* const> inputs = request.inputs;
    const DType type = inputs[0]->dtype();
    if (table_.loops[dtype_index(type)] == nullptr || (mean_ && type != DType::f32)) {
      return unsupported_type(op_type_, type);
    }
    if (inputs.size() == 1) return StepPlan::alias({type, inputs[0]->shape()});
    if (is_binary(request)) {
      return plan_binary(table_, op_type_, *inputs[0], *inputs[1], common_layout(request));
    }
    Chain chain;
    std::size_t bytes = 0;  // of the largest result in between
    Tensor result = *inputs[0];
    for (std::size_t i = 1; i < inputs.size(); ++i) {
      PBATCH_ASSIGN_OR_RETURN(StepPlan next, plan_binary(table_, op_type_, result, *inputs[i]));
      result = Tensor::view(type, next.outputs[0].shape, nullptr, nullptr);
      PBATCH_ASSIGN_OR_RETURN(chain.size,
                              checked_element_count(next.outputs[0].shape, dtype_size(type)));
      if (i + 1 < inputs.size()) {
        bytes = std::max(bytes, static_cast<std::size_t>(chain.size) * dtype_size(type));
      }
      chain.steps.push_back(std::move(next.step));
    }
    chain.half = (bytes + 63) / 64 * 64;
    chain.divisor = mean_ ? static_cast<float>(inputs.size()) : 1.0F;
    const std::size_t scratch = 2 * chain.half;
    StepPlan plan = StepPlan::of({type, result.shape()},
                                 [chain = std::make_shared<const Chain>(std::move(chain))](
                                     const StepCall& call) { return chain->run(call); });
    plan.scratch_bytes = scratch;
    return plan;
  }

  Layout wanted_layout(const PlanRequest& request, std::size_t) const override {
    return is_binary(request) ? common_layout(request) : Layout::plain;
  }

 private:
  bool is_binary(const PlanRequest& request) const { return request.inputs.size() == 2 && !mean_; }

  struct Chain {
    std::vector<std::unique_ptr<Step>> steps;
    std::size_t half = 0;  // bytes of scratch memory for one result in between
    std::int64_t size = 0;
    float divisor = 1.0F;

    Status run(const StepCall& call) const {
      const void* in[2] = {call.in[0], nullptr};
      for (std::size_t i = 0; i < steps.size(); ++i) {
        void* out = static_cast<char*>(call.scratch) + i % 2 * half;
        if (i + 1 == steps.size()) out = call.out[0];
        in[1] = call.in[i + 1];
        StepCall one = call;
        one.in = in;
        one.out = &out;
        PBATCH_RETURN_IF_ERROR(steps[i]->run(one));
        in[0] = out;
      }
      if (divisor == 1.0F) return Status::ok();
      float* const y = call.output<float>(0);
      for (std::int64_t i = 0; i < size; ++i) y[i] /= divisor;
      return Status::ok();
    }
  };

  const BinaryTable& table_;
  std::string op_type_;
  bool mean_;
};

Status check_inputs_present(const Node& node) {
  return check_arity(node, std::max<std::size_t>(node.inputs.size(), 1), kAnyCount);
}

Result<std::unique_ptr<Op>> make_variadic(const BinaryTable& table, const Node& node,
                                          bool mean = false) {
  PBATCH_RETURN_IF_ERROR(check_inputs_present(node));
  return std::unique_ptr<Op>(new Variadic(table, node.op_type, mean));
}

}  // namespace

Result<std::unique_ptr<Op>> make_min(const Graph&, const Node& node) {
  return make_variadic(kSmaller, node);
}
Result<std::unique_ptr<Op>> make_max(const Graph&, const Node& node) {
  return make_variadic(kLarger, node);
}
Result<std::unique_ptr<Op>> make_sum(const Graph&, const Node& node) {
  return make_variadic(kAdd, node);
}
Result<std::unique_ptr<Op>> make_mean(const Graph&, const Node& node) {
  return make_variadic(kAdd, node, true);
}

}  // namespace pbatch
