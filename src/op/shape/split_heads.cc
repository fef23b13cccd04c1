// pbatch.SplitHeads: [B, tokens, heads size] as [B, heads, tokens, size]; what has four
// dimensions already stays as it is.
#include "op/node_checks.h"
#include "op/op.h"
#include "op/shape/strided_copy.h"

namespace pbatch {
namespace {

class SplitHeads final : public Op {
 public:
  explicit SplitHeads(std::int64_t heads) : heads_(heads) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    if (x.rank() == 4 && x.dim(1) == heads_) return StepPlan::alias({x.dtype(), x.shape()});
    if (x.rank() != 3 || x.dim(2) % heads_ != 0) {
      return Status(ErrorCode::shape_mismatch,
                    "a tensor of shape " + shape_to_string(x.shape()) + " has no " +
                        std::to_string(heads_) + " heads",
                    "feed the shape that the network was exported for");
    }
    const std::int64_t size = x.dim(2) / heads_;
    return plan_copy({x.dtype(), {x.dim(0), heads_, x.dim(1), size}},
                     {x.dim(1) * x.dim(2), size, x.dim(2), 1});
  }

 private:
  std::int64_t heads_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_split_heads(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t heads, node.int_attr("heads", 0));
  if (heads < 1) {
    return Status(ErrorCode::malformed, "attribute heads is " + std::to_string(heads),
                  "export the network again");
  }
  return std::unique_ptr<Op>(new SplitHeads(heads));
}

}  // namespace pbatch
