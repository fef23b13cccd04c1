#include "run/check_precision.h"

#include <algorithm>
#include <string>
#include <utility>

namespace pbatch {
namespace {

Status check_layer_precision(const LayerPrecision& p, Arithmetic arithmetic) {
  const bool weights_ok = p.weight_bits == 32 || (p.weight_bits >= 1 && p.weight_bits <= 16);
  if (!weights_ok) {
    return {ErrorCode::invalid_argument,
            "weight bits of " + std::to_string(p.weight_bits) + " do not exist",
            "use 1 to 16, or 32 for float"};
  }
  if (p.activation_bits == kActivations8s) {
    if (arithmetic == Arithmetic::integers) return Status::ok();
    return {ErrorCode::unsupported, "activations of 8s are of integer arithmetic alone",
            "take 8 or 16 activation bits, or run with integer arithmetic"};
  }
  if (p.weight_bits != 32 && p.activation_bits != 8 && p.activation_bits != 16 &&
      p.activation_bits != 32) {
    return {ErrorCode::invalid_argument,
            "activation bits of " + std::to_string(p.activation_bits) + " do not exist",
            "use 8, 16 or 32"};
  }
  return Status::ok();
}

}  // namespace

Status check_widths(const Precision& precision, const std::vector<LayerInfo>& layers) {
  PBATCH_RETURN_IF_ERROR(check_layer_precision(precision.all, precision.arithmetic));
  for (const auto& [name, p] : precision.layers) {
    if (Status s = check_layer_precision(p, precision.arithmetic); !s)
      return std::move(s).at_node(name);
    const bool known =
        std::any_of(layers.begin(), layers.end(),
                    [&wanted = name](const LayerInfo& layer) { return layer.name == wanted; });
    if (!known) {
      return {ErrorCode::not_found, "no bit-layered matrix is named '" + name + "'",
              "'pbatch inspect' lists the names"};
    }
  }
  return Status::ok();
}

Precision without_8s(const Precision& precision) {
  Precision plain = precision;
  const auto widen = [](LayerPrecision& p) {
    if (p.activation_bits == kActivations8s) p.activation_bits = 16;
  };
  widen(plain.all);
  for (auto& entry : plain.layers) widen(entry.second);
  return plain;
}

}  // namespace pbatch
