// Expand: the input broadcast with a shape that a tensor gives.
#include <algorithm>

#include "execute/op.h"
#include "execute/ops/data_checks.h"
#include "execute/ops/node_checks.h"
#include "execute/ops/strided_copy.h"

namespace pbatch {
namespace {

class Expand final : public Op {
 public:
  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    const Tensor& x = *inputs[0];
    PBATCH_ASSIGN_OR_RETURN(const Shape wanted, read_integers(*inputs[1], "the shape"));
    const std::size_t rank = std::max(x.rank(), wanted.size());
    const std::vector<std::int64_t> strides = row_major_strides(x.shape());
    StridedView view{x.raw(), Shape(rank, 1), std::vector<std::int64_t>(rank, 0)};
    for (std::size_t d = 0; d < x.rank(); ++d) {
      if (x.dim(d) == 1) continue;
      view.shape[rank - x.rank() + d] = x.dim(d);
      view.strides[rank - x.rank() + d] = strides[d];
    }
    for (std::size_t d = 0; d < wanted.size(); ++d) {
      std::int64_t& have = view.shape[rank - wanted.size() + d];
      if (wanted[d] == 1 || wanted[d] == have) continue;
      if (have != 1 || wanted[d] < 0) {
        return {ErrorCode::shape_mismatch,
                "shape " + shape_to_string(x.shape()) + " does not broadcast with " +
                    shape_to_string(wanted),
                "feed the shape that the network was exported for"};
      }
      have = wanted[d];
    }
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t count,
                            checked_element_count(view.shape, dtype_size(x.dtype())));
    if (count == x.size()) {  // only dimensions of 1 are new
      outputs[0] = x.reshaped(std::move(view.shape));
      return Status::ok();
    }
    PBATCH_ASSIGN_OR_RETURN(outputs[0], context.allocate(x.dtype(), view.shape));
    copy_strided(std::move(view), outputs[0], context.pool);
    return Status::ok();
  }
};

}  // namespace

Result<std::unique_ptr<Op>> make_expand(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 2));
  return std::unique_ptr<Op>(new Expand);
}

}  // namespace pbatch
