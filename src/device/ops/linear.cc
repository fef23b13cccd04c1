// pbatch.Linear: a small matrix that stays float.
#include "device/device_op.h"
#include "op/float_checks.h"

namespace pbatch {

Status build_linear(DeviceBuild& build, const Node& node, std::span<const BuildValue> inputs,
                    std::span<BuildValue> outputs) {
  PBATCH_ASSIGN_OR_RETURN(const DeviceTensor x, float_input(build, inputs, 0, "input X"));
  const Tensor& weights = *inputs[1].host;  // a constant [cols][rows]: the host's operator checks
  const std::int64_t cols = weights.dim(0), rows = weights.dim(1);
  if (x.shape().empty() || x.shape().back() != cols) {
    return {ErrorCode::shape_mismatch,
            "input X is " + describe_tensor(x.as_host_view()) + ", but W is " +
                shape_to_string(weights.shape()),
            "feed the shape that the network was trained on"};
  }
  PBATCH_ASSIGN_OR_RETURN(
      const DeviceTensor w,
      build.weights().constant(weights, "transposed " + shape_to_string(weights.shape()),
                               transposed));
  Shape shape = x.shape();
  shape.back() = rows;
  PBATCH_ASSIGN_OR_RETURN(outputs[0].device, build.allocate(DType::f32, std::move(shape)));
  FloatProductArgs args = {};
  args.w = w.data<float>();
  args.rows = rows;
  args.cols = cols;
  args.x = x.data<float>();
  args.ldx = cols;
  args.batch = product_of(x.shape(), 0, x.shape().size() - 1);
  args.y = outputs[0].device->data<float>();
  args.ldy = rows;
  PBATCH_ASSIGN_OR_RETURN(args.activation, read_activation(node));
  build.step().rows = rows;
  build.step().cols = cols;
  build.step().macs = rows * cols * args.batch;
  if (inputs.size() > 2 && !inputs[2].is_absent()) {
    PBATCH_ASSIGN_OR_RETURN(const DeviceTensor bias, build.on_device(inputs[2]));
    args.bias = bias.data<float>();
  }
  build.add(
      [args](Accelerator& device, Stream stream) { return device.multiply_floats(args, stream); });
  return Status::ok();
}

}  // namespace pbatch
