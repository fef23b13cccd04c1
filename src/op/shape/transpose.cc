// Transpose: dimensions in another order; and pbatch.SwapLast: the last two, whatever the rank.
#include <numeric>

#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"
#include "op/shape/strided_copy.h"

namespace pbatch {
namespace {

// Whether elements `strides` apart lie as those of a tensor of this shape in a layout do.
bool lies_so(const Shape& shape, const std::vector<std::int64_t>& strides, Layout layout) {
  const std::vector<std::int64_t> wanted = strides_in_memory(shape, layout);
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] != 1 && strides[d] != wanted[d]) return false;
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
    const std::vector<std::int64_t> x_strides = strides_in_memory(x.shape(), request.layout(0));
    TensorType y{x.dtype(), {}};
    std::vector<std::int64_t> strides;
    for (const std::size_t from : order) {
      y.shape.push_back(x.dim(from));
      strides.push_back(x_strides[from]);
    }
    if (lies_so(y.shape, strides, Layout::plain)) return StepPlan::alias(std::move(y));
    if (request.layouts_may_differ() && lies_so(y.shape, strides, Layout::channels_last)) {
      return StepPlan::alias(std::move(y)).in_layout(Layout::channels_last);
    }
    return plan_copy(std::move(y), strides);
  }

  Layout wanted_layout(const PlanRequest& request, std::size_t i) const override {
    return request.layout(i);
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
