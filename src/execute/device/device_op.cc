#include "execute/device/device_op.h"

#include <string>

#include "execute/recurrent_spec.h"

namespace pbatch {

#define PBATCH_DEVICE_OP(domain, op_type, build) \
  Status build(DeviceBuild&, const Node&, std::span<const BuildValue>, std::span<BuildValue>);
#include "execute/device/device_ops.inc"
#undef PBATCH_DEVICE_OP

namespace {

struct Entry {
  const char* domain;
  const char* op_type;
  DeviceOp build;
};

constexpr Entry kOps[] = {
#define PBATCH_DEVICE_OP(domain, op_type, build) {domain, op_type, build},
#include "execute/device/device_ops.inc"
#undef PBATCH_DEVICE_OP
};

Status check_recurrent_functions(const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const std::string cell, node.string_attr("cell", ""));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t index, node.int_attr("direction_index", 0));
  PBATCH_ASSIGN_OR_RETURN(const RecurrentSpec spec,
                          read_recurrent_spec(node, cell, static_cast<int>(index)));
  if (spec.default_activations()) return Status::ok();
  return only_on_the_cpu("recurrent layers with other functions than sigmoid and tanh run");
}

}  // namespace

DeviceOp find_device_op(const Node& node) {
  for (const Entry& entry : kOps) {
    if (node.domain == entry.domain && node.op_type == entry.op_type) return entry.build;
  }
  return nullptr;
}

Status check_device_op(const Node& node) {
  const std::string& op = node.op_type;
  if (find_device_op(node) == nullptr) return only_on_the_cpu("operator " + op + " runs");
  if (op == "Recurrent" || op == "BitRecurrent") return check_recurrent_functions(node);
  if ((op == "Max" || op == "Min") && node.inputs.size() != 2) {
    return only_on_the_cpu(op + " of other than two inputs works");
  }
  PBATCH_ASSIGN_OR_RETURN(const std::string approximate, node.string_attr("approximate", "none"));
  if (approximate != "none") return only_on_the_cpu("Gelu with an approximation works");
  return Status::ok();
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
