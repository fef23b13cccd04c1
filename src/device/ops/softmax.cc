// Softmax and LogSoftmax over contiguous vectors: all dimensions from an axis on before opset 13,
// the last dimension since.
#include "device/device_op.h"
#include "op/float_checks.h"

namespace pbatch {

Status build_softmax(DeviceBuild& build, const Node& node, std::span<const BuildValue> inputs,
                     std::span<BuildValue> outputs) {
  PBATCH_ASSIGN_OR_RETURN(const DeviceTensor x, float_input(build, inputs, 0, "the input"));
  const bool flattened = node.opset < 13;
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t given, node.int_attr("axis", flattened ? 1 : -1));
  const Shape& shape = x.shape();
  std::size_t axis = shape.size();
  // Flattening may also leave nothing on the right.
  if (!flattened || given != static_cast<std::int64_t>(shape.size())) {
    PBATCH_ASSIGN_OR_RETURN(axis, normalize_axis(given, shape.size()));
  }
  if (!flattened && product_of(shape, axis + 1, shape.size()) != 1) {
    return only_on_the_cpu(node.op_type + " over another dimension than the last runs");
  }
  PBATCH_ASSIGN_OR_RETURN(outputs[0].device, build.allocate(DType::f32, shape));
  SoftmaxArgs args = {};
  args.x = x.data<float>();
  args.y = outputs[0].device->data<float>();
  args.rows = product_of(shape, 0, axis);
  args.cols = product_of(shape, axis, shape.size());
  args.log = node.op_type == "LogSoftmax";
  build.add([args](Accelerator& device, Stream stream) { return device.softmax(args, stream); });
  return Status::ok();
}

}  // namespace pbatch
