#include "device/device_op.h"

#include <string>

#include "layout/bit_matrix.h"

namespace pbatch {

#define PBATCH_DEVICE_OP(domain, op_type, build, check)                                        \
  Status build(DeviceBuild&, const Node&, std::span<const BuildValue>, std::span<BuildValue>); \
  Status check(const Node&);
#include "device/device_ops.inc"
#undef PBATCH_DEVICE_OP

namespace {

constexpr DeviceOpEntry kDeviceOps[] = {
#define PBATCH_DEVICE_OP(domain, op_type, build, check) {domain, op_type, build, check},
#include "device/device_ops.inc"
#undef PBATCH_DEVICE_OP
};

}  // namespace

Status any_form(const Node&) { return Status::ok(); }

Result<const DeviceOpEntry*> find_device_op(const Node& node) {
  if (node.matrix != nullptr && !node.matrix->outlier_places.empty()) {
    return Status(ErrorCode::unsupported, "a matrix that has outliers is read on the CPU only",
                  "run on the CPU (--device cpu), or make the model anew with --outliers 0");
  }
  for (const DeviceOpEntry& entry : kDeviceOps) {
    if (node.domain != entry.domain || node.op_type != entry.op_type) continue;
    PBATCH_RETURN_IF_ERROR(entry.check(node));
    return &entry;
  }
  return only_on_the_cpu("operator " + node.op_type + " runs");
}

Status only_on_the_cpu(const std::string& what) {
  return {ErrorCode::unsupported, what + " on the CPU only", "run on the CPU (--device cpu)"};
}

Result<DeviceTensor> float_input(DeviceBuild& build, std::span<const BuildValue> inputs,
                                 std::size_t i, const char* name) {
  if (i >= inputs.size() || inputs[i].is_absent()) {
    return Status(ErrorCode::malformed, std::string(name) + " is missing",
                  "export the network again");
  }
  if (inputs[i].dtype() != DType::f32) {
    return only_on_the_cpu(std::string(name) + " is " + dtype_name(inputs[i].dtype()) +
                           ", which is computed");
  }
  return build.on_device(inputs[i]);
}

}  // namespace pbatch
