// Transpose: dimensions in another order; and pbatch.SwapLast: the last two, whatever the rank.
#include <numeric>

#include "execute/op.h"
#include "execute/ops/data_checks.h"
#include "execute/ops/float_checks.h"
#include "execute/ops/node_checks.h"
#include "execute/ops/strided_copy.h"

namespace pbatch {
namespace {

// Whether the elements stay where they are, because only dimensions of 1 move.
bool keeps_order(const Shape& shape, const std::vector<std::size_t>& order) {
  std::size_t last = 0;
  for (const std::size_t from : order) {
    if (shape[from] == 1) continue;
    if (from < last) return false;
    last = from;
  }
  return true;
}

class Transpose final : public Op {
 public:
  explicit Transpose(std::vector<std::size_t> order, bool swap_last = false)
      : order_(std::move(order)), swap_last_(swap_last) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    std::vector<std::size_t> order = order_;
    if (order.empty()) {
      order.resize(x.rank());
      if (swap_last_ && x.rank() >= 2) {
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::swap(order[x.rank() - 2], order[x.rank() - 1]);
      } else {
        std::iota(order.rbegin(), order.rend(), std::size_t{0});
      }
    }
    if (order.size() != x.rank()) {
      return Status(ErrorCode::shape_mismatch,
                    "perm has " + std::to_string(order.size()) + " axes, but the input has shape " +
                        shape_to_string(x.shape()),
                    "feed the rank that the network was exported for");
    }
    const std::vector<std::int64_t> x_strides = row_major_strides(x.shape());
    TensorType y{x.dtype(), {}};
    std::vector<std::int64_t> strides;
    for (const std::size_t from : order) {
      y.shape.push_back(x.dim(from));
      strides.push_back(x_strides[from]);
    }
    if (keeps_order(x.shape(), order)) return StepPlan::alias(std::move(y));
    return plan_copy(std::move(y), strides);
  }

 private:
  std::vector<std::size_t> order_;  // empty: the reverse, or
  bool swap_last_;                  // the last two dimensions swapped
};

}  // namespace

Result<std::unique_ptr<Op>> make_transpose(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
  PBATCH_ASSIGN_OR_RETURN(const std::vector<std::int64_t> perm, node.ints_attr("perm", {}));
  PBATCH_RETURN_IF_ERROR(mark_axes(perm, perm.size()).status());
  std::vector<std::size_t> order;
  for (const std::int64_t axis : perm) {
    PBATCH_ASSIGN_OR_RETURN(const std::size_t from, normalize_axis(axis, perm.size()));
    order.push_back(from);
  }
  return std::unique_ptr<Op>(new Transpose(std::move(order)));
}

Result<std::unique_ptr<Op>> make_swap_last(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
  return std::unique_ptr<Op>(new Transpose({}, /*swap_last=*/true));
}

}  // namespace pbatch
