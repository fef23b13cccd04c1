// ScatterND: slices set, or reduced into, where tuples of indices say.
#include <algorithm>
#include <cstring>

#include "op/elements.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"
#include "op/shape/scatter_update.h"

namespace pbatch {
namespace {

class ScatterNd final : public Op {
 public:
  explicit ScatterNd(Reduction reduction) : reduction_(reduction) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    const Tensor& tuples = *request.inputs[1];
    const Tensor& updates = *request.inputs[2];
    PBATCH_RETURN_IF_ERROR(expect_same_type("ScatterND", x.dtype(), updates.dtype()));
    PBATCH_RETURN_IF_ERROR(check_shapes(x, tuples, updates));
    PBATCH_RETURN_IF_ERROR(Indices::of(tuples).status());
    PBATCH_ASSIGN_OR_RETURN(const UpdateLoop update, update_loop(reduction_, x.dtype()));
    const auto width = static_cast<std::size_t>(tuples.shape().back());
    const std::int64_t slice = product_of(x.shape(), width, x.rank());
    const std::int64_t count = slice == 0 ? 0 : updates.size() / slice;
    const Shape extents(x.shape().begin(), x.shape().begin() + static_cast<std::ptrdiff_t>(width));
    return StepPlan::of({x.dtype(), x.shape()},
                        [update, slice, count, extents, all = x.bytes(), type = tuples.dtype(),
                         bytes = dtype_size(x.dtype())](const StepCall& call) -> Status {
                          if (all == 0) return Status::ok();
                          std::memcpy(call.out[0], call.in[0], all);
                          const Indices indices(type, call.in[1]);
                          std::int64_t next = 0;
                          for (std::int64_t i = 0; i < count; ++i) {
                            std::int64_t place = 0;
                            for (const std::int64_t extent : extents) {
                              const std::int64_t given = indices[next++];
                              std::int64_t index = given;
                              if (!wrap_index(extent, &index))
                                return index_out_of_range(given, extent);
                              place = place * extent + index;
                            }
                            update(element_at(call.out[0], place * slice, bytes),
                                   element_at(call.in[2], i * slice, bytes), slice);
                          }
                          return Status::ok();
                        });
  }

 private:
  static Status check_shapes(const Tensor& x, const Tensor& tuples, const Tensor& updates) {
    bool fits = tuples.rank() >= 1 && x.rank() >= 1 && tuples.shape().back() >= 0 &&
                tuples.shape().back() <= static_cast<std::int64_t>(x.rank());
    if (fits) {
      Shape wanted(tuples.shape().begin(), tuples.shape().end() - 1);
      wanted.insert(wanted.end(), x.shape().begin() + tuples.shape().back(), x.shape().end());
      fits = updates.shape() == wanted;
    }
    if (fits) return Status::ok();
    return {ErrorCode::shape_mismatch,
            "indices " + shape_to_string(tuples.shape()) + " and updates " +
                shape_to_string(updates.shape()) + " do not fit an input of shape " +
                shape_to_string(x.shape()),
            "feed the shape that the network was exported for"};
  }

  Reduction reduction_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_scatter_nd(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 3, 3));
  PBATCH_ASSIGN_OR_RETURN(const Reduction reduction, read_reduction(node));
  return std::unique_ptr<Op>(new ScatterNd(reduction));
}

}  // namespace pbatch
