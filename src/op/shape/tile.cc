// Tile: the input repeated along every axis.
#include "op/data_checks.h"
#include "op/node_checks.h"
#include "op/op.h"
#include "op/shape/strided_copy.h"

namespace pbatch {
namespace {

class Tile final : public Op {
 public:
  Result<StepPlan> plan(const PlanRequest& request) const override {
    if (!request.knows(1)) return StepPlan{};
    const Tensor& x = *request.inputs[0];
    PBATCH_ASSIGN_OR_RETURN(const std::vector<std::int64_t> repeats,
                            read_integers(*request.inputs[1], "the list of repeats"));
    if (repeats.size() != x.rank()) {
      return Status(ErrorCode::shape_mismatch,
                    std::to_string(repeats.size()) + " repeats are given for an input of shape " +
                        shape_to_string(x.shape()),
                    "feed the rank that the network was exported for");
    }
    // Every axis becomes two: the repeats, which stay where they are, and the axis itself.
    const std::vector<std::int64_t> x_strides = row_major_strides(x.shape());
    TensorType y{x.dtype(), Shape(x.rank())};
    Shape walked;
    std::vector<std::int64_t> strides;
    for (std::size_t d = 0; d < x.rank(); ++d) {
      if (repeats[d] < 0 || __builtin_mul_overflow(repeats[d], x.dim(d), &y.shape[d])) {
        return Status(ErrorCode::invalid_argument,
                      "a dimension of " + std::to_string(x.dim(d)) + " cannot repeat " +
                          std::to_string(repeats[d]) + " times",
                      "feed a smaller number, at least 0");
      }
      walked.insert(walked.end(), {repeats[d], x.dim(d)});
      strides.insert(strides.end(), {0, x_strides[d]});
    }
    if (y.shape == x.shape()) return StepPlan::alias(std::move(y));
    PBATCH_RETURN_IF_ERROR(checked_element_count(y.shape, dtype_size(y.dtype)).status());
    StridedCopy copy(walked, strides, dtype_size(y.dtype));
    return StepPlan::of(std::move(y), [copy = std::move(copy)](const StepCall& call) {
      copy.run(call.in[0], call.out[0], call.pool);
      return Status::ok();
    });
  }
};

}  // namespace

Result<std::unique_ptr<Op>> make_tile(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 2));
  return std::unique_ptr<Op>(new Tile);
}

}  // namespace pbatch
