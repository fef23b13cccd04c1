#include "graph/expand/fused_activation.h"

#include "kernel/element_spec.h"

namespace pbatch {

Result<ValueId> activated(Expansion& e, ValueId x, const std::string& name,
                          const std::vector<float>& params) {
  const auto param = [&](std::size_t i, float fallback) {
    return i < params.size() ? params[i] : fallback;
  };
  if (name.empty()) return x;
  for (const char* plain : {"Relu", "Tanh", "Sigmoid", "Softplus", "Softsign"}) {
    if (name == plain) return e.op(plain, {x});
  }
  if (name == "LeakyRelu") {
    const ElementSpec& spec = spec_of(ElementFunction::leaky_relu);
    return e.op("LeakyRelu", {x}, {{"alpha", param(0, spec.alpha_default)}});
  }
  if (name == "Elu") {
    const ElementSpec& spec = spec_of(ElementFunction::elu);
    return e.op("Elu", {x}, {{"alpha", param(0, spec.alpha_default)}});
  }
  if (name == "HardSigmoid") {
    const ElementSpec& spec = spec_of(ElementFunction::hard_sigmoid);
    return e.op("HardSigmoid", {x},
                {{"alpha", param(0, spec.alpha_default)}, {"beta", param(1, spec.beta_default)}});
  }
  if (name == "Clip") {
    if (e.opset() < 11) {
      return e.op("Clip", {x}, {{"min", param(0, -3.4e38F)}, {"max", param(1, 3.4e38F)}});
    }
    return e.op("Clip", {x, e.scalar(param(0, -3.4e38F)), e.scalar(param(1, 3.4e38F))});
  }
  return e.unsupported("has activation '" + name + "'", "export without fused activations");
}

}  // namespace pbatch
