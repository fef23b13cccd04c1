#include "tools/allocate/allocation_text.h"

#include "format/bit_allocation.h"

namespace pbatch {

std::string allocation_text(const std::string& model, const std::string& target,
                            const Session& session, const AllocationRow& row) {
  BitAllocation allocation;
  allocation.model = model.substr(model.find_last_of('/') + 1);
  allocation.weights_checksum = session.weights_checksum();
  allocation.target = target;
  allocation.measured_error = row.error;
  allocation.predicted_error = row.predicted_error;
  allocation.predicted_us = row.predicted_us;
  allocation.measured_us = row.us;
  allocation.weight_bytes = row.weight_bytes;
  for (const LayerInfo& layer : session.layers()) {
    allocation.layers.emplace_back(layer.name, row.precision.of(layer.name));
  }
  return allocation_json(allocation);
}

}  // namespace pbatch
