// Min, Max, Sum and Mean of one input or more.
#include "execute/op.h"
#include "execute/ops/arithmetic.h"
#include "execute/ops/node_checks.h"

namespace pbatch {
namespace {

// A NaN on either side is the result, as NumPy has it.
struct Min {
  static constexpr bool kPartial = false;
  template <class T>
  static T apply(T a, T b) {
    return a < b || a != a ? a : b;
  }
};

struct Max {
  static constexpr bool kPartial = false;
  template <class T>
  static T apply(T a, T b) {
    return a > b || a != a ? a : b;
  }
};

constexpr BinaryTable kMin = binary_table<Min>(NumberTypes{});
constexpr BinaryTable kMax = binary_table<Max>(NumberTypes{});

class Variadic : public Op {
 public:
  Variadic(const BinaryTable& table, std::string op_type)
      : table_(table), op_type_(std::move(op_type)) {}

  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    if (table_.loops[dtype_index(inputs[0]->dtype())] == nullptr) {
      return unsupported_type(op_type_, inputs[0]->dtype());
    }
    Tensor result = *inputs[0];
    for (std::size_t i = 1; i < inputs.size(); ++i) {
      PBATCH_ASSIGN_OR_RETURN(result, apply_binary(table_, op_type_, context, result, *inputs[i]));
    }
    outputs[0] = std::move(result);
    return Status::ok();
  }

 private:
  const BinaryTable& table_;
  std::string op_type_;
};

class Mean final : public Variadic {
 public:
  explicit Mean(std::string op_type) : Variadic(kAdd, std::move(op_type)) {}

  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    if (inputs[0]->dtype() != DType::f32) return unsupported_type("Mean", inputs[0]->dtype());
    PBATCH_RETURN_IF_ERROR(Variadic::run(context, inputs, outputs));
    if (inputs.size() == 1) return Status::ok();
    const auto n = static_cast<float>(inputs.size());
    float* const y = outputs[0].mutable_data<float>();
    for (std::int64_t i = 0; i < outputs[0].size(); ++i) y[i] /= n;
    return Status::ok();
  }
};

Status check_inputs_present(const Node& node) {
  return check_arity(node, std::max<std::size_t>(node.inputs.size(), 1), kAnyCount);
}

Result<std::unique_ptr<Op>> make_variadic(const BinaryTable& table, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_inputs_present(node));
  return std::unique_ptr<Op>(new Variadic(table, node.op_type));
}

}  // namespace

Result<std::unique_ptr<Op>> make_min(const Graph&, const Node& node) {
  return make_variadic(kMin, node);
}
Result<std::unique_ptr<Op>> make_max(const Graph&, const Node& node) {
  return make_variadic(kMax, node);
}
Result<std::unique_ptr<Op>> make_sum(const Graph&, const Node& node) {
  return make_variadic(kAdd, node);
}
Result<std::unique_ptr<Op>> make_mean(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_inputs_present(node));
  return std::unique_ptr<Op>(new Mean(node.op_type));
}

}  // namespace pbatch
