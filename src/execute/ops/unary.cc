#include "execute/ops/unary.h"

#include "execute/ops/node_checks.h"

namespace pbatch {
namespace {

class UnaryOp final : public Op {
 public:
  UnaryOp(const UnaryTable& table, std::string op_type, const UnaryParams& params)
      : table_(table), op_type_(std::move(op_type)), params_(params) {}

  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    const Tensor& x = *inputs[0];
    const UnaryLoop loop = table_.loops[dtype_index(x.dtype())];
    if (loop == nullptr) return unsupported_type(op_type_, x.dtype());
    const DType type = table_.makes_bool ? DType::boolean : x.dtype();
    PBATCH_ASSIGN_OR_RETURN(outputs[0], context.allocate(type, x.shape()));
    void* const y = outputs[0].mutable_raw();
    context.pool.parallel_for(x.size(), table_.grain, [&](std::int64_t begin, std::int64_t end) {
      loop(end - begin, element_at(x.raw(), begin, dtype_size(x.dtype())),
           element_at(y, begin, dtype_size(type)), params_);
    });
    return Status::ok();
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
