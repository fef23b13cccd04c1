#include "execute/ops/binary.h"

#include <atomic>

#include "execute/ops/broadcast.h"
#include "execute/ops/node_checks.h"

namespace pbatch {
namespace {

class BinaryOp final : public Op {
 public:
  BinaryOp(const BinaryTable& table, std::string op_type)
      : table_(table), op_type_(std::move(op_type)) {}

  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    PBATCH_ASSIGN_OR_RETURN(outputs[0],
                            apply_binary(table_, op_type_, context, *inputs[0], *inputs[1]));
    return Status::ok();
  }

 private:
  const BinaryTable& table_;
  std::string op_type_;
};

}  // namespace

Result<Tensor> apply_loop(BinaryLoop loop, DType type, std::int64_t grain,
                          const std::string& no_result, const RunContext& context, const Tensor& a,
                          const Tensor& b) {
  PBATCH_ASSIGN_OR_RETURN(const Broadcast broadcast, Broadcast::create({&a.shape(), &b.shape()}));
  PBATCH_ASSIGN_OR_RETURN(Tensor y, context.allocate(type, broadcast.shape()));
  const std::size_t a_size = dtype_size(a.dtype());
  const std::size_t b_size = dtype_size(b.dtype());
  const std::size_t y_size = dtype_size(type);
  void* const out = y.mutable_raw();
  std::atomic<bool> all = true;
  context.pool.parallel_for(broadcast.size(), grain, [&](std::int64_t begin, std::int64_t end) {
    broadcast.for_each_run(
        begin, end,
        [&](std::int64_t position, std::int64_t count, const Broadcast::Offsets& offsets) {
          const bool good = loop(count, element_at(a.raw(), offsets[0], a_size), broadcast.step(0),
                                 element_at(b.raw(), offsets[1], b_size), broadcast.step(1),
                                 element_at(out, position, y_size));
          if (!good) all.store(false, std::memory_order_relaxed);
        });
  });
  if (all) return y;
  return Status(ErrorCode::invalid_argument, no_result, "check what the network is fed");
}

Result<Tensor> apply_binary(const BinaryTable& table, const std::string& op_type,
                            const RunContext& context, const Tensor& a, const Tensor& b) {
  constexpr std::int64_t kGrain = std::int64_t{1} << 15;
  PBATCH_RETURN_IF_ERROR(expect_same_type(op_type, a.dtype(), b.dtype()));
  const BinaryLoop loop = table.loops[dtype_index(a.dtype())];
  if (loop == nullptr) return unsupported_type(op_type, a.dtype());
  const DType type = table.makes_bool ? DType::boolean : a.dtype();
  return apply_loop(loop, type, kGrain, op_type + ": " + table.no_result, context, a, b);
}

Result<std::unique_ptr<Op>> make_binary(const BinaryTable& table, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 2));
  return std::unique_ptr<Op>(new BinaryOp(table, node.op_type));
}

}  // namespace pbatch
