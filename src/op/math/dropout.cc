// Dropout at inference: the input itself, and a mask that keeps everything.
#include <algorithm>
#include <cstring>

#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

// `training_mode` is an input since opset 12.
Status expect_inference(const Tensor* training_mode) {
  if (training_mode == nullptr) return Status::ok();
  if (training_mode->dtype() != DType::boolean || training_mode->size() != 1) {
    return {ErrorCode::malformed,
            "training_mode is " + describe_tensor(*training_mode) + ", but must be one bool",
            "export the network again"};
  }
  if (*training_mode->data<std::uint8_t>() == 0) return Status::ok();
  return {ErrorCode::unsupported, "operator Dropout in training mode is not supported",
          "export the network in inference mode"};
}

class Dropout final : public Op {
 public:
  explicit Dropout(bool makes_mask) : makes_mask_(makes_mask) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor* training = input_or_null(request.inputs, 2);
    if (training != nullptr && !request.knows(2)) return StepPlan{};
    PBATCH_RETURN_IF_ERROR(expect_inference(training));
    const Tensor& x = *request.inputs[0];
    const TensorType y{x.dtype(), x.shape()};
    if (!makes_mask_) return StepPlan::alias(y);
    const TensorType mask{DType::boolean, x.shape()};
    return StepPlan::of({y, mask}, [count = x.size(), bytes = x.bytes()](const StepCall& call) {
      if (count == 0) return Status::ok();
      std::memcpy(call.out[0], call.in[0], bytes);
      std::fill_n(call.output<std::uint8_t>(1), count, std::uint8_t{1});
      return Status::ok();
    });
  }

 private:
  bool makes_mask_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_dropout(const Graph& graph, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 3, 2));
  PBATCH_RETURN_IF_ERROR(expect_inference(constant_input(graph, node, 2)));
  return std::unique_ptr<Op>(new Dropout(node.outputs.size() > 1 && node.outputs[1] != kNoValue));
}

}  // namespace pbatch
