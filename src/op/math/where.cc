// Where: the elements of X where the condition holds, else those of Y.
#include "op/elements.h"
#include "op/math/broadcast.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

// Only the size of an element matters.
template <class T>
void select(std::int64_t count, const Bool* condition, std::int64_t condition_step, const void* x,
            std::int64_t x_step, const void* y, std::int64_t y_step, void* out) {
  const T* __restrict px = static_cast<const T*>(x);
  const T* __restrict py = static_cast<const T*>(y);
  T* __restrict po = static_cast<T*>(out);
  if (condition_step == 1 && x_step == 1 && y_step == 1) {
    for (std::int64_t i = 0; i < count; ++i) po[i] = condition[i] ? px[i] : py[i];
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    po[i] = condition[i * condition_step] ? px[i * x_step] : py[i * y_step];
  }
}

auto select_of(std::size_t element_size) {
  switch (element_size) {
    case 1:
      return &select<std::uint8_t>;
    case 2:
      return &select<std::uint16_t>;
    case 4:
      return &select<std::uint32_t>;
    default:
      return &select<std::uint64_t>;
  }
}

class Where final : public Op {
 public:
  Result<StepPlan> plan(const PlanRequest& request) const override {
    constexpr std::int64_t kGrain = std::int64_t{1} << 15;
    const Tensor& condition = *request.inputs[0];
    const Tensor& x = *request.inputs[1];
    const Tensor& y = *request.inputs[2];
    if (condition.dtype() != DType::boolean) {
      return Status(
          ErrorCode::shape_mismatch,
          std::string("the condition of Where is ") + dtype_name(condition.dtype()) + ", not bool",
          "put a Cast to bool before it");
    }
    PBATCH_RETURN_IF_ERROR(expect_same_type("Where", x.dtype(), y.dtype()));
    PBATCH_ASSIGN_OR_RETURN(Broadcast broadcast,
                            Broadcast::create({&condition.shape(), &x.shape(), &y.shape()}));
    const std::size_t size = dtype_size(x.dtype());
    TensorType made{x.dtype(), broadcast.shape()};
    Tiling tiling{broadcast.size(), 1, kGrain, 0};
    for (std::size_t i = 0; i < 3; ++i) {
      if (request.inputs[i]->shape() == broadcast.shape()) tiling.aligned |= 1u << i;
    }
    return StepPlan::tiled(
        std::move(made), tiling,
        [broadcast = std::move(broadcast), size, loop = select_of(size)](
            const StepCall& call, std::int64_t begin, std::int64_t end) {
          broadcast.for_each_run(
              begin, end,
              [&](std::int64_t position, std::int64_t count, const Broadcast::Offsets& offsets) {
                loop(count, call.input<Bool>(0) + offsets[0], broadcast.step(0),
                     element_at(call.in[1], offsets[1], size), broadcast.step(1),
                     element_at(call.in[2], offsets[2], size), broadcast.step(2),
                     element_at(call.out[0], position, size));
              });
          return Status::ok();
        });
  }
};

}  // namespace

Result<std::unique_ptr<Op>> make_where(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 3, 3));
  return std::unique_ptr<Op>(new Where);
}

}  // namespace pbatch
