#include "op/math/binary.h"

#include "op/math/broadcast.h"
#include "op/node_checks.h"

namespace pbatch {
namespace {

class BinaryOp final : public Op {
 public:
  BinaryOp(const BinaryTable& table, std::string op_type)
      : table_(table), op_type_(std::move(op_type)) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    return plan_binary(table_, op_type_, *request.inputs[0], *request.inputs[1],
                       common_layout(request));
  }

  Layout wanted_layout(const PlanRequest& request, std::size_t) const override {
    return common_layout(request);
  }

 private:
  const BinaryTable& table_;
  std::string op_type_;
};

}  // namespace

Result<StepPlan> plan_loop(BinaryLoop loop, DType type, std::int64_t grain, std::string no_result,
                           const Tensor& a, const Tensor& b, Layout layout) {
  const Shape* const shapes[] = {&a.shape(), &b.shape()};
  PBATCH_ASSIGN_OR_RETURN(Shape shape, broadcast_shape(shapes));
  const auto in_memory = [&](const Tensor& t) {
    return shape_in_memory(padded_shape(t.shape(), shape.size()), layout);
  };
  const Shape a_shape = in_memory(a), b_shape = in_memory(b);
  PBATCH_ASSIGN_OR_RETURN(Broadcast broadcast, Broadcast::create({&a_shape, &b_shape}));
  const std::size_t a_size = dtype_size(a.dtype());
  const std::size_t b_size = dtype_size(b.dtype());
  const std::size_t y_size = dtype_size(type);
  const bool like_a = a_shape == broadcast.shape() && a_size == y_size;
  const bool like_b = b_shape == broadcast.shape() && b_size == y_size;
  TensorType y{type, std::move(shape)};
  Tiling tiling{broadcast.size(), 1, grain, 0};
  if (a_shape == broadcast.shape()) tiling.aligned |= 1u;
  if (b_shape == broadcast.shape()) tiling.aligned |= 2u;
  StepPlan plan = StepPlan::tiled(
      std::move(y), tiling,
      [loop, no_result = std::move(no_result), a_size, b_size, y_size,
       broadcast = std::move(broadcast)](const StepCall& call, std::int64_t begin,
                                         std::int64_t end) -> Status {
        bool all = true;
        broadcast.for_each_run(
            begin, end,
            [&](std::int64_t position, std::int64_t count, const Broadcast::Offsets& offsets) {
              all = loop(count, element_at(call.in[0], offsets[0], a_size), broadcast.step(0),
                         element_at(call.in[1], offsets[1], b_size), broadcast.step(1),
                         element_at(call.out[0], position, y_size)) &&
                    all;
            });
        if (all) return Status::ok();
        return {ErrorCode::invalid_argument, no_result, "check what the network is fed"};
      });
  if (like_a || like_b) plan.overwrites = like_a ? 0 : 1;
  plan.layout = layout;
  return plan;
}

Result<StepPlan> plan_binary(const BinaryTable& table, const std::string& op_type, const Tensor& a,
                             const Tensor& b, Layout layout) {
  constexpr std::int64_t kGrain = std::int64_t{1} << 15;
  PBATCH_RETURN_IF_ERROR(expect_same_type(op_type, a.dtype(), b.dtype()));
  const BinaryLoop loop = table.loops[dtype_index(a.dtype())];
  if (loop == nullptr) return unsupported_type(op_type, a.dtype());
  const DType type = table.makes_bool ? DType::boolean : a.dtype();
  return plan_loop(loop, type, kGrain, op_type + ": " + table.no_result, a, b, layout);
}

Result<std::unique_ptr<Op>> make_binary(const BinaryTable& table, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 2));
  return std::unique_ptr<Op>(new BinaryOp(table, node.op_type));
}

}  // namespace pbatch
