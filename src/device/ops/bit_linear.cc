// pbatch.BitLinear, as op/bits/bit_linear.cc has it and to its bits.
#include "device/device_op.h"
#include "device/ops/bit_products.h"
#include "op/float_checks.h"

namespace pbatch {

Status build_bit_linear(DeviceBuild& build, const Node& node, std::span<const BuildValue> inputs,
                        std::span<BuildValue> outputs) {
  PBATCH_ASSIGN_OR_RETURN(const DeviceMatrix* matrix, matrix_of(build, node));
  PBATCH_ASSIGN_OR_RETURN(const DeviceTensor x, float_input(build, inputs, 0, "the input"));
  if (x.shape().empty() || x.shape().back() != matrix->cols()) {
    return {ErrorCode::shape_mismatch,
            "input is " + describe_tensor(x.as_host_view()) +
                " but the matrix takes float32 vectors of " + std::to_string(matrix->cols()),
            "feed the shape that the network was trained on"};
  }
  Shape shape = x.shape();
  shape.back() = matrix->rows();
  PBATCH_ASSIGN_OR_RETURN(outputs[0].device, build.allocate(DType::f32, std::move(shape)));
  ProductOutput out;
  out.y = outputs[0].device->data<float>();
  out.ldy = matrix->rows();
  PBATCH_ASSIGN_OR_RETURN(out.activation, read_activation(node));
  if (inputs.size() > 1 && !inputs[1].is_absent()) {
    PBATCH_ASSIGN_OR_RETURN(const DeviceTensor bias, build.on_device(inputs[1]));
    out.bias = bias.data<float>();
  }
  return add_bit_products(build, *matrix, x.data<float>(), x.size() / matrix->cols(), out);
}

}  // namespace pbatch
