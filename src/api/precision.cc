// Precision::from_allocation: a bit allocation as a precision of a session's runs.
#include "pbatch/precision.h"

#include <algorithm>
#include <utility>

#include "format/bit_allocation.h"
#include "pbatch/session.h"

namespace pbatch {
namespace {

Status check_model(const BitAllocation& allocation, const Session& session) {
  const std::string here = session.weights_checksum();
  if (here.empty()) {
    return {ErrorCode::invalid_argument, "the network is a float one, which has no bit-layers",
            "turn it into a model with 'pbatch quantize'"};
  }
  if (allocation.weights_checksum != here) {
    return {ErrorCode::invalid_argument,
            "it was made for other weights, those of '" + allocation.model + "' (checksum " +
                allocation.weights_checksum + ", here " + here + ")",
            "make one for this model with 'pbatch allocate'"};
  }
  return Status::ok();
}

Result<Precision> precision_of(const BitAllocation& allocation, const Session& session) {
  PBATCH_RETURN_IF_ERROR(check_model(allocation, session));
  Precision precision;
  precision.all = {0, 0};
  for (const auto& [name, bits] : allocation.layers) {
    const auto layer =
        std::find_if(session.layers().begin(), session.layers().end(),
                     [&wanted = name](const LayerInfo& l) { return l.name == wanted; });
    if (layer == session.layers().end()) {
      return Status(ErrorCode::malformed, "the model has no such layer",
                    "make the allocation anew with 'pbatch allocate'")
          .at_node(name);
    }
    if (bits.weight_bits != 32 && bits.weight_bits > layer->planes_available) {
      return Status(ErrorCode::precision_unavailable,
                    std::to_string(bits.weight_bits) + " bits, but " +
                        std::to_string(layer->planes_available) + " bit-layers are at hand",
                    "allocate fewer bits, or fetch the whole data file")
          .at_node(name);
    }
    precision.layers[name] = bits;
    precision.all.weight_bits = std::max(precision.all.weight_bits, bits.weight_bits);
    precision.all.activation_bits = std::max(precision.all.activation_bits, bits.activation_bits);
  }
  for (const LayerInfo& layer : session.layers()) {
    if (precision.layers.count(layer.name) != 0) continue;
    return Status(ErrorCode::malformed, "it leaves out a layer of the model",
                  "make the allocation anew with 'pbatch allocate'")
        .at_node(layer.name);
  }
  return precision;
}

}  // namespace

Result<Precision> Precision::from_allocation(const std::string& path, const Session& session) {
  PBATCH_ASSIGN_OR_RETURN(const BitAllocation allocation, read_allocation(path));
  Result<Precision> precision = precision_of(allocation, session);
  if (!precision) return precision.status().in_file(path);
  return precision;
}

}  // namespace pbatch
