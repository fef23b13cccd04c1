#include "run/check_precision.h"

#include <algorithm>
#include <string>
#include <utility>

namespace pbatch {
namespace {

Status check_layer_precision(const LayerPrecision& p) {
  const bool weights_ok = p.weight_bits == 32 || (p.weight_bits >= 1 && p.weight_bits <= 16);
  if (!weights_ok) {
    return {ErrorCode::invalid_argument,
            "weight bits of " + std::to_string(p.weight_bits) + " do not exist",
            "use 1 to 16, or 32 for float"};
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
  PBATCH_RETURN_IF_ERROR(check_layer_precision(precision.all));
  for (const auto& [name, p] : precision.layers) {
    if (Status s = check_layer_precision(p); !s) return std::move(s).at_node(name);
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

}  // namespace pbatch
