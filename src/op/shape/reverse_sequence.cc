// ReverseSequence: of every sequence of a batch the first elements, in reverse order.
#include <cstring>

#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

class ReverseSequence final : public Op {
 public:
  explicit ReverseSequence(bool time_first) : time_first_(time_first) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    const Tensor& lengths = *request.inputs[1];
    const std::size_t time_axis = time_first_ ? 0 : 1;
    if (x.rank() < 2 || lengths.dtype() != DType::i64 ||
        lengths.shape() != Shape{x.dim(1 - time_axis)}) {
      return Status(ErrorCode::shape_mismatch,
                    "sequence_lens is " + describe_tensor(lengths) + " for an input of shape " +
                        shape_to_string(x.shape()),
                    "feed an int64 length for each sequence of the batch");
    }
    const std::int64_t steps = x.dim(time_axis), sequences = x.dim(1 - time_axis);
    const std::int64_t unit =
        product_of(x.shape(), 2, x.rank()) * static_cast<std::int64_t>(dtype_size(x.dtype()));
    const std::int64_t step_bytes = unit * (time_first_ ? sequences : 1);
    const std::int64_t sequence_bytes = unit * (time_first_ ? 1 : steps);
    return StepPlan::of({x.dtype(), x.shape()}, [=](const StepCall& call) -> Status {
      for (std::int64_t s = 0; s < sequences; ++s) {
        const std::int64_t length = call.input<std::int64_t>(1)[s];
        if (length < 0 || length > steps) {
          return {ErrorCode::invalid_argument,
                  "sequence " + std::to_string(s) + " has length " + std::to_string(length) +
                      ", of " + std::to_string(steps) + " steps",
                  "feed lengths from 0 to the number of steps"};
        }
        for (std::int64_t t = 0; unit != 0 && t < steps; ++t) {
          const std::int64_t from = t < length ? length - 1 - t : t;
          std::memcpy(call.output<char>(0) + s * sequence_bytes + t * step_bytes,
                      call.input<char>(0) + s * sequence_bytes + from * step_bytes,
                      static_cast<std::size_t>(unit));
        }
      }
      return Status::ok();
    });
  }

 private:
  bool time_first_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_reverse_sequence(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 2));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t time_axis, node.int_attr("time_axis", 0));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t batch_axis, node.int_attr("batch_axis", 1));
  if ((time_axis != 0 && time_axis != 1) || batch_axis != 1 - time_axis) {
    return Status(ErrorCode::malformed,
                  "time_axis is " + std::to_string(time_axis) + " and batch_axis " +
                      std::to_string(batch_axis),
                  "one must be 0 and the other 1; export the network again");
  }
  return std::unique_ptr<Op>(new ReverseSequence(time_axis == 0));
}

}  // namespace pbatch
