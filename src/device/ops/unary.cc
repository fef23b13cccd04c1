// Functions of one number.
#include <limits>
#include <string>

#include "device/device_op.h"
#include "op/math/element_function.h"

namespace pbatch {
namespace {

// A bound of Clip: an input that the host knows, an attribute before opset 11, or none.
Result<float> bound(const Node& node, std::span<const BuildValue> inputs, std::size_t i,
                    const char* name, float none) {
  if (node.opset < 11) return node.float_attr(name, none);
  if (i >= inputs.size() || inputs[i].is_absent()) return none;
  if (!inputs[i].host || inputs[i].dtype() != DType::f32 || inputs[i].host->size() != 1) {
    return only_on_the_cpu("bounds of Clip that are not known before work");
  }
  return *inputs[i].host->data<float>();
}

Status read_function(const Node& node, std::span<const BuildValue> inputs, ElementwiseArgs& args) {
  if (node.op_type == "Clip") {
    constexpr float kNone = std::numeric_limits<float>::infinity();
    args.function = ElementFunction::clip;
    PBATCH_ASSIGN_OR_RETURN(args.alpha, bound(node, inputs, 1, "min", -kNone));
    PBATCH_ASSIGN_OR_RETURN(args.beta, bound(node, inputs, 2, "max", kNone));
    return Status::ok();
  }
  PBATCH_ASSIGN_OR_RETURN(const UnaryParams params, read_element_params(node));
  args.function = find_element_spec(node.op_type)->function;
  args.alpha = params.alpha;
  args.beta = params.beta;
  return Status::ok();
}

}  // namespace

Status check_unary(const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const std::string approximate, node.string_attr("approximate", "none"));
  if (approximate == "none") return Status::ok();
  return only_on_the_cpu("Gelu with an approximation works");
}

Status build_unary(DeviceBuild& build, const Node& node, std::span<const BuildValue> inputs,
                   std::span<BuildValue> outputs) {
  ElementwiseArgs args = {};
  PBATCH_RETURN_IF_ERROR(read_function(node, inputs, args));
  PBATCH_ASSIGN_OR_RETURN(const DeviceTensor x, float_input(build, inputs, 0, "the input"));
  PBATCH_ASSIGN_OR_RETURN(outputs[0].device, build.allocate(DType::f32, x.shape()));
  args.count = x.size();
  args.a = x.data<float>();
  args.y = outputs[0].device->data<float>();
  build.add(
      [args](Accelerator& device, Stream stream) { return device.elementwise(args, stream); });
  return Status::ok();
}

}  // namespace pbatch
