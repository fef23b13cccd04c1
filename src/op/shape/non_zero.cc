// NonZero: the indices of elements that are not zero, one column each.
#include <cstring>

#include "op/convert.h"
#include "op/elements.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

class NonZero final : public Op {
 public:
  Result<StepPlan> plan(const PlanRequest&) const override { return StepPlan::allocating(&find); }

 private:
  static Status find(RunContext& context, std::span<const Tensor* const> inputs,
                     std::span<Tensor> outputs) {
    const Tensor& x = *inputs[0];
    PBATCH_ASSIGN_OR_RETURN(const Tensor is_set, convert(context, x, DType::boolean));
    std::vector<std::int64_t> found;
    for (std::int64_t i = 0; i < x.size(); ++i) {
      if (is_set.data<std::uint8_t>()[i] != 0) found.push_back(i);
    }
    const auto count = static_cast<std::int64_t>(found.size());
    // A scalar counts as a vector of one.
    const Shape shape = x.rank() == 0 ? Shape{1} : x.shape();
    PBATCH_ASSIGN_OR_RETURN(
        outputs[0], context.allocate(DType::i64, {static_cast<std::int64_t>(shape.size()), count}));
    for (std::int64_t i = 0; i < count; ++i) {
      std::int64_t rest = found[static_cast<std::size_t>(i)];
      for (std::size_t d = shape.size(); d-- > 0;) {
        outputs[0].mutable_data<std::int64_t>()[static_cast<std::int64_t>(d) * count + i] =
            rest % shape[d];
        rest /= shape[d];
      }
    }
    return Status::ok();
  }
};

}  // namespace

Result<std::unique_ptr<Op>> make_non_zero(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
  return std::unique_ptr<Op>(new NonZero);
}

}  // namespace pbatch
