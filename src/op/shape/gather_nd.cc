// GatherND: slices picked by tuples of indices, over the axes behind the batch dimensions.
#include <algorithm>
#include <cstring>

#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

// Where a tuple of indices points, in slices from the first of its batch.
Result<std::int64_t> locate(const Indices& indices, std::int64_t first, const Shape& extents) {
  std::int64_t place = 0;
  for (std::size_t d = 0; d < extents.size(); ++d) {
    const std::int64_t given = indices[first + static_cast<std::int64_t>(d)];
    std::int64_t index = given;
    if (!wrap_index(extents[d], &index)) return index_out_of_range(given, extents[d]);
    place = place * extents[d] + index;
  }
  return place;
}

class GatherNd final : public Op {
 public:
  explicit GatherNd(std::size_t batch_dims) : batch_dims_(batch_dims) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    const Tensor& tuples = *request.inputs[1];
    PBATCH_RETURN_IF_ERROR(check_shapes(x, tuples));
    PBATCH_RETURN_IF_ERROR(Indices::of(tuples).status());
    const std::int64_t width = tuples.shape().back();
    const std::size_t behind = batch_dims_ + static_cast<std::size_t>(width);
    const Shape extents(x.shape().begin() + static_cast<std::ptrdiff_t>(batch_dims_),
                        x.shape().begin() + static_cast<std::ptrdiff_t>(behind));
    TensorType y{x.dtype(), Shape(tuples.shape().begin(), tuples.shape().end() - 1)};
    y.shape.insert(y.shape.end(), x.shape().begin() + static_cast<std::ptrdiff_t>(behind),
                   x.shape().end());
    if (product_of(y.shape, 0, y.shape.size()) == 0) {
      return StepPlan::of(std::move(y), [](const StepCall&) { return Status::ok(); });
    }
    const std::int64_t bytes =
        product_of(x.shape(), behind, x.rank()) * static_cast<std::int64_t>(dtype_size(x.dtype()));
    const std::int64_t slices = product_of(extents, 0, extents.size());
    const std::int64_t count = tuples.size() / width;
    const std::int64_t per_batch = count / product_of(x.shape(), 0, batch_dims_);
    return StepPlan::of(std::move(y), [=, type = tuples.dtype()](const StepCall& call) -> Status {
      const Indices indices(type, call.in[1]);
      for (std::int64_t i = 0; i < count; ++i) {
        PBATCH_ASSIGN_OR_RETURN(const std::int64_t place, locate(indices, i * width, extents));
        std::memcpy(call.output<char>(0) + i * bytes,
                    call.input<char>(0) + (i / per_batch * slices + place) * bytes,
                    static_cast<std::size_t>(bytes));
      }
      return Status::ok();
    });
  }

 private:
  Status check_shapes(const Tensor& x, const Tensor& tuples) const {
    const std::size_t shared = std::min(x.rank(), tuples.rank());
    const bool batches_agree =
        batch_dims_ < shared &&
        std::equal(x.shape().begin(), x.shape().begin() + static_cast<std::ptrdiff_t>(batch_dims_),
                   tuples.shape().begin());
    if (batches_agree && tuples.shape().back() >= 1 &&
        tuples.shape().back() <= static_cast<std::int64_t>(x.rank() - batch_dims_)) {
      return Status::ok();
    }
    return {ErrorCode::shape_mismatch,
            "indices of shape " + shape_to_string(tuples.shape()) +
                " do not fit an input of shape " + shape_to_string(x.shape()) + " with " +
                std::to_string(batch_dims_) + " batch dimensions",
            "feed the shape that the network was exported for"};
  }

  std::size_t batch_dims_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_gather_nd(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 2));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t batch_dims, node.int_attr("batch_dims", 0));
  if (batch_dims < 0) {
    return Status(ErrorCode::malformed, "batch_dims is " + std::to_string(batch_dims),
                  "export the network again");
  }
  return std::unique_ptr<Op>(new GatherNd(static_cast<std::size_t>(batch_dims)));
}

}  // namespace pbatch
