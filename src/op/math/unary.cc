#include "op/math/unary.h"

#include "op/node_checks.h"

namespace pbatch {
namespace {

class UnaryOp final : public Op {
 public:
  UnaryOp(const UnaryTable& table, std::string op_type, const UnaryParams& params)
      : table_(table), op_type_(std::move(op_type)), params_(params) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    const UnaryLoop loop = table_.loops[dtype_index(x.dtype())];
    if (loop == nullptr) return unsupported_type(op_type_, x.dtype());
    const DType type = table_.makes_bool ? DType::boolean : x.dtype();
    const std::size_t x_size = dtype_size(x.dtype()), y_size = dtype_size(type);
    return StepPlan::tiled({type, x.shape()}, {x.size(), 1, table_.grain},
                           [this, loop, x_size, y_size](const StepCall& call, std::int64_t begin,
                                                        std::int64_t end) {
                             loop(end - begin, element_at(call.in[0], begin, x_size),
                                  element_at(call.out[0], begin, y_size), params_);
                             return Status::ok();
                           })
        .in_place_of(0)
        .in_layout(request.layout(0));
  }

  Layout wanted_layout(const PlanRequest& request, std::size_t i) const override {
    return request.layout(i);
  }

 private:
  const UnaryTable& table_;
  std::string op_type_;
  UnaryParams params_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_unary(const UnaryTable& table, const Node& node,
                                       const UnaryParams& params) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
  return std::unique_ptr<Op>(new UnaryOp(table, node.op_type, params));
}

}  // namespace pbatch
