// Functions of one number.
#include <limits>
#include <string>

#include "device/device_op.h"

namespace pbatch {
namespace {

using cuda::ElementFunction;

struct UnaryEntry {
  const char* op_type;
  ElementFunction function;
  const char *alpha, *beta;  // attributes; null: none
  float alpha_default, beta_default;
};

constexpr UnaryEntry kUnaryFunctions[] = {
    {"Abs", ElementFunction::abs, nullptr, nullptr, 0, 0},
    {"Elu", ElementFunction::elu, "alpha", nullptr, 1.0F, 0},
    {"Erf", ElementFunction::erf, nullptr, nullptr, 0, 0},
    {"Exp", ElementFunction::exp, nullptr, nullptr, 0, 0},
    {"Gelu", ElementFunction::gelu, nullptr, nullptr, 0, 0},
    {"HardSigmoid", ElementFunction::hard_sigmoid, "alpha", "beta", 0.2F, 0.5F},
    {"HardSwish", ElementFunction::hard_swish, nullptr, nullptr, 0, 0},
    {"LeakyRelu", ElementFunction::leaky_relu, "alpha", nullptr, 0.01F, 0},
    {"Log", ElementFunction::log, nullptr, nullptr, 0, 0},
    {"Neg", ElementFunction::neg, nullptr, nullptr, 0, 0},
    {"Reciprocal", ElementFunction::reciprocal, nullptr, nullptr, 0, 0},
    {"Relu", ElementFunction::relu, nullptr, nullptr, 0, 0},
    {"Selu", ElementFunction::selu, "alpha", "gamma", 1.67326319217681884765625F,
     1.05070102214813232421875F},
    {"Sigmoid", ElementFunction::sigmoid, nullptr, nullptr, 0, 0},
    {"Softplus", ElementFunction::softplus, nullptr, nullptr, 0, 0},
    {"Softsign", ElementFunction::softsign, nullptr, nullptr, 0, 0},
    {"Sqrt", ElementFunction::sqrt, nullptr, nullptr, 0, 0},
    {"Swish", ElementFunction::swish, "alpha", nullptr, 1.0F, 0},
    {"Tanh", ElementFunction::tanh, nullptr, nullptr, 0, 0},
};

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

Status read_function(const Node& node, std::span<const BuildValue> inputs,
                     cuda::ElementwiseArgs& args) {
  if (node.op_type == "Clip") {
    constexpr float kNone = std::numeric_limits<float>::infinity();
    args.function = ElementFunction::clip;
    PBATCH_ASSIGN_OR_RETURN(args.alpha, bound(node, inputs, 1, "min", -kNone));
    PBATCH_ASSIGN_OR_RETURN(args.beta, bound(node, inputs, 2, "max", kNone));
    return Status::ok();
  }
  for (const UnaryEntry& entry : kUnaryFunctions) {
    if (node.op_type != entry.op_type) continue;
    args.function = entry.function;
    if (entry.alpha != nullptr) {
      PBATCH_ASSIGN_OR_RETURN(args.alpha, node.float_attr(entry.alpha, entry.alpha_default));
    }
    if (entry.beta != nullptr) {
      PBATCH_ASSIGN_OR_RETURN(args.beta, node.float_attr(entry.beta, entry.beta_default));
    }
    return Status::ok();
  }
  return only_on_the_cpu("operator " + node.op_type + " runs");
}

}  // namespace

Status check_unary(const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const std::string approximate, node.string_attr("approximate", "none"));
  if (approximate == "none") return Status::ok();
  return only_on_the_cpu("Gelu with an approximation works");
}

Status build_unary(DeviceBuild& build, const Node& node, std::span<const BuildValue> inputs,
                   std::span<BuildValue> outputs) {
  cuda::ElementwiseArgs args = {};
  PBATCH_RETURN_IF_ERROR(read_function(node, inputs, args));
  PBATCH_ASSIGN_OR_RETURN(const DeviceTensor x, float_input(build, inputs, 0, "the input"));
  PBATCH_ASSIGN_OR_RETURN(outputs[0].device, build.allocate(DType::f32, x.shape()));
  args.count = x.size();
  args.a = x.data<float>();
  args.y = outputs[0].device->data<float>();
  build.add([args](cuda::Device& device, cuda::Stream stream) {
    return device.elementwise(args, stream);
  });
  return Status::ok();
}

}  // namespace pbatch
