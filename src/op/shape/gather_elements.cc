// GatherElements: every element of the output names the place on one axis that it comes from.
#include <cstring>

#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

class GatherElements final : public Op {
 public:
  explicit GatherElements(std::int64_t axis) : axis_(axis) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    const Shape& shape = request.inputs[1]->shape();
    PBATCH_ASSIGN_OR_RETURN(const std::size_t axis, normalize_axis(axis_, x.rank()));
    bool fits = shape.size() == x.rank();
    for (std::size_t d = 0; fits && d < shape.size(); ++d) {
      fits = d == axis || shape[d] <= x.dim(d);
    }
    if (!fits) {
      return Status(ErrorCode::shape_mismatch,
                    "indices of shape " + shape_to_string(shape) +
                        " do not fit an input of shape " + shape_to_string(x.shape()),
                    "feed the shape that the network was exported for");
    }
    PBATCH_ASSIGN_OR_RETURN(const IndexReader reader,
                            IndexReader::create(*request.inputs[1], x.dim(axis)));
    std::vector<std::int64_t> strides = row_major_strides(x.shape());
    const std::int64_t along_axis = strides[axis];
    strides[axis] = 0;  // there the index counts
    const std::size_t bytes = dtype_size(x.dtype());
    StepPlan plan = StepPlan::of(
        {x.dtype(), shape}, [reader, shape, strides, along_axis, bytes](const StepCall& call) {
          auto* const index = static_cast<std::int64_t*>(call.scratch);
          PBATCH_RETURN_IF_ERROR(reader.read(call.in[1], index));
          for (std::int64_t i = 0; i < reader.count(); ++i) {
            std::int64_t source = index[i] * along_axis;
            for (std::size_t d = shape.size(), rest = static_cast<std::size_t>(i); d-- > 0;) {
              const auto extent = static_cast<std::size_t>(shape[d]);
              source += static_cast<std::int64_t>(rest % extent) * strides[d];
              rest /= extent;
            }
            std::memcpy(call.output<char>(0) + static_cast<std::size_t>(i) * bytes,
                        call.input<char>(0) + static_cast<std::size_t>(source) * bytes, bytes);
          }
          return Status::ok();
        });
    plan.scratch_bytes = reader.bytes();
    return plan;
  }

 private:
  std::int64_t axis_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_gather_elements(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 2));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t axis, node.int_attr("axis", 0));
  return std::unique_ptr<Op>(new GatherElements(axis));
}

}  // namespace pbatch
