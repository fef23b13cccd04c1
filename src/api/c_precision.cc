#include "api/c_precision.h"

#include "api/c_guard.h"

namespace pbatch {

Result<Precision> read_precision(const pbatch_precision* given) {
  if (given == nullptr) return null_argument("precision");
  if (given->layer_count > 0 && given->layers == nullptr) return null_argument("precision.layers");
  Precision precision = Precision::bits(given->all.weight_bits, given->all.activation_bits);
  for (std::size_t i = 0; i < given->layer_count; ++i) {
    const pbatch_layer_bits& layer = given->layers[i];
    if (layer.layer == nullptr) return null_argument("the name of a layer");
    precision.layers[layer.layer] = {layer.bits.weight_bits, layer.bits.activation_bits};
  }
  return precision;
}

}  // namespace pbatch
