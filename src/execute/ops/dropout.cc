// Dropout at inference: the input itself, and a mask that keeps everything.
#include <algorithm>

#include "execute/op.h"
#include "execute/ops/data_checks.h"
#include "execute/ops/float_checks.h"
#include "execute/ops/node_checks.h"

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

  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    PBATCH_RETURN_IF_ERROR(expect_inference(input_or_null(inputs, 2)));
    if (makes_mask_) {
      PBATCH_ASSIGN_OR_RETURN(outputs[1], context.allocate(DType::boolean, inputs[0]->shape()));
      std::fill_n(outputs[1].mutable_data<std::uint8_t>(), outputs[1].size(), std::uint8_t{1});
    }
    outputs[0] = *inputs[0];
    return Status::ok();
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
