// ScatterElements, and Scatter before it: elements set, or reduced into, where indices say.
#include <cstring>

#include "op/elements.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"
#include "op/shape/scatter_update.h"

namespace pbatch {
namespace {

class ScatterElements final : public Op {
 public:
  ScatterElements(std::int64_t axis, Reduction reduction) : axis_(axis), reduction_(reduction) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    const Tensor& updates = *request.inputs[2];
    const Shape& shape = request.inputs[1]->shape();
    PBATCH_RETURN_IF_ERROR(expect_same_type("ScatterElements", x.dtype(), updates.dtype()));
    PBATCH_ASSIGN_OR_RETURN(const std::size_t axis, normalize_axis(axis_, x.rank()));
    bool fits = shape.size() == x.rank() && updates.shape() == shape;
    for (std::size_t d = 0; fits && d < shape.size(); ++d) {
      fits = d == axis || shape[d] <= x.dim(d);
    }
    if (!fits) {
      return Status(ErrorCode::shape_mismatch,
                    "indices " + shape_to_string(shape) + " and updates " +
                        shape_to_string(updates.shape()) + " do not fit an input of shape " +
                        shape_to_string(x.shape()),
                    "feed the shape that the network was exported for");
    }
    PBATCH_ASSIGN_OR_RETURN(const UpdateLoop update, update_loop(reduction_, x.dtype()));
    PBATCH_ASSIGN_OR_RETURN(const IndexReader reader,
                            IndexReader::create(*request.inputs[1], x.dim(axis)));
    std::vector<std::int64_t> strides = row_major_strides(x.shape());
    const std::int64_t along_axis = strides[axis];
    strides[axis] = 0;  // there the index counts
    StepPlan plan = StepPlan::of(
        {x.dtype(), x.shape()}, [reader, update, shape, strides, along_axis, all = x.bytes(),
                                 bytes = dtype_size(x.dtype())](const StepCall& call) {
          auto* const index = static_cast<std::int64_t*>(call.scratch);
          PBATCH_RETURN_IF_ERROR(reader.read(call.in[1], index));
          if (all != 0) std::memcpy(call.out[0], call.in[0], all);
          for (std::int64_t i = 0; i < reader.count(); ++i) {
            std::int64_t target = index[i] * along_axis;
            for (std::size_t d = shape.size(), rest = static_cast<std::size_t>(i); d-- > 0;) {
              const auto extent = static_cast<std::size_t>(shape[d]);
              target += static_cast<std::int64_t>(rest % extent) * strides[d];
              rest /= extent;
            }
            update(element_at(call.out[0], target, bytes), element_at(call.in[2], i, bytes), 1);
          }
          return Status::ok();
        });
    plan.scratch_bytes = reader.bytes();
    return plan;
  }

 private:
  std::int64_t axis_;
  Reduction reduction_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_scatter_elements(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 3, 3));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t axis, node.int_attr("axis", 0));
  PBATCH_ASSIGN_OR_RETURN(const Reduction reduction, read_reduction(node));
  return std::unique_ptr<Op>(new ScatterElements(axis, reduction));
}

}  // namespace pbatch
