// pbatch.BitGather, and Gather of rows of a constant: embeddings, whose indices the device has.
#include <algorithm>
#include <string>

#include "device/device_op.h"
#include "op/bits/bit_weights.h"
#include "op/float_checks.h"

namespace pbatch {

Status build_movement(DeviceBuild& build, const Node& node, std::span<const BuildValue> inputs,
                      std::span<BuildValue> outputs);

namespace {

// Rows by `indices`, of `matrix` at `weight_bits` or, if it is null, of args.floats; the table's
// part of `args` is there. row_shape: of one row.
Status add_rows(DeviceBuild& build, GatherRowsArgs args, const DeviceMatrix* matrix,
                int weight_bits, const BuildValue& indices, const Shape& row_shape,
                BuildValue& output) {
  if (indices.dtype() != DType::i64 && indices.dtype() != DType::i32) {
    return only_on_the_cpu(std::string("indices that are ") + dtype_name(indices.dtype()) +
                           " are read");
  }
  PBATCH_ASSIGN_OR_RETURN(const DeviceTensor there, build.on_device(indices));
  Shape shape = there.shape();
  shape.insert(shape.end(), row_shape.begin(), row_shape.end());
  PBATCH_ASSIGN_OR_RETURN(output.device, build.allocate(DType::f32, std::move(shape)));
  args.indices = there.data<void>();
  args.wide = there.dtype() == DType::i64;
  args.count = there.size();
  args.y = output.device->data<float>();
  args.flag = build.flag();
  build.add([=](Accelerator& device, Stream stream) {
    return device.gather_rows(args, matrix, weight_bits, stream);
  });
  return Status::ok();
}

}  // namespace

Status build_bit_gather(DeviceBuild& build, const Node& node, std::span<const BuildValue> inputs,
                        std::span<BuildValue> outputs) {
  // With weight_bits 32 a table gives what all its planes say, as on the CPU.
  const int asked = build.precision().weight_bits;
  const int bits = asked == 32 ? std::min(16, all_planes(*node.matrix)) : asked;
  PBATCH_ASSIGN_OR_RETURN(const DeviceMatrix* matrix, build.weights().matrix(node, bits));
  GatherRowsArgs args = {};
  PlanStep& step = build.step();
  step.kernel = "rows";
  step.rows = matrix->rows();
  step.cols = matrix->cols();
  step.weight_bits = asked;
  step.activation_bits = build.precision().activation_bits;
  step.weight_bytes = stored_bytes(*node.matrix, bits);
  args.rows = matrix->rows();
  args.cols = matrix->cols();
  return add_rows(build, args, matrix, bits, inputs[0], {matrix->cols()}, outputs[0]);
}

Status build_gather(DeviceBuild& build, const Node& node, std::span<const BuildValue> inputs,
                    std::span<BuildValue> outputs) {
  if (inputs[1].host) return build_movement(build, node, inputs, outputs);
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t axis, node.int_attr("axis", 0));
  if (!inputs[0].host || axis != 0 || inputs[0].shape().empty()) {
    return only_on_the_cpu("Gather by computed indices of other than a constant's rows runs");
  }
  PBATCH_ASSIGN_OR_RETURN(const DeviceTensor table, float_input(build, inputs, 0, "the table"));
  GatherRowsArgs args = {};
  args.floats = table.data<float>();
  args.rows = table.shape()[0];
  args.cols = product_of(table.shape(), 1, table.shape().size());
  return add_rows(build, args, nullptr, 0, inputs[1],
                  Shape(table.shape().begin() + 1, table.shape().end()), outputs[0]);
}

}  // namespace pbatch
