#include "graph/expand/fused_activation.h"

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
  if (name == "LeakyRelu") return e.op("LeakyRelu", {x}, {{"alpha", param(0, 0.01F)}});
  if (name == "Elu") return e.op("Elu", {x}, {{"alpha", param(0, 1.0F)}});
  if (name == "HardSigmoid") {
    return e.op("HardSigmoid", {x}, {{"alpha", param(0, 0.2F)}, {"beta", param(1, 0.5F)}});
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
