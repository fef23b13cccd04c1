// Expand: the input broadcast with a shape that a tensor gives.
#include <algorithm>

#include "op/data_checks.h"
#include "op/node_checks.h"
#include "op/op.h"
#include "op/shape/strided_copy.h"

namespace pbatch {
namespace {

class Expand final : public Op {
 public:
  Result<StepPlan> plan(const PlanRequest& request) const override {
    if (!request.knows(1)) return StepPlan{};
    const Tensor& x = *request.inputs[0];
    PBATCH_ASSIGN_OR_RETURN(const Shape wanted, read_integers(*request.inputs[1], "the shape"));
    const std::size_t rank = std::max(x.rank(), wanted.size());
    const std::vector<std::int64_t> x_strides = row_major_strides(x.shape());
    TensorType y{x.dtype(), Shape(rank, 1)};
    std::vector<std::int64_t> strides(rank, 0);
    for (std::size_t d = 0; d < x.rank(); ++d) {
      if (x.dim(d) == 1) continue;
      y.shape[rank - x.rank() + d] = x.dim(d);
      strides[rank - x.rank() + d] = x_strides[d];
    }
    for (std::size_t d = 0; d < wanted.size(); ++d) {
      std::int64_t& have = y.shape[rank - wanted.size() + d];
      if (wanted[d] == 1 || wanted[d] == have) continue;
      if (have != 1 || wanted[d] < 0) {
        return Status(ErrorCode::shape_mismatch,
                      "shape " + shape_to_string(x.shape()) + " does not broadcast with " +
                          shape_to_string(wanted),
                      "feed the shape that the network was exported for");
      }
      have = wanted[d];
    }
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t count,
                            checked_element_count(y.shape, dtype_size(y.dtype)));
    if (count == x.size()) return StepPlan::alias(std::move(y));  // only dimensions of 1 are new
    return plan_copy(std::move(y), strides);
  }
};

}  // namespace

Result<std::unique_ptr<Op>> make_expand(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 2));
  return std::unique_ptr<Op>(new Expand);
}

}  // namespace pbatch
