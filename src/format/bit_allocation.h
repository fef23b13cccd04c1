// Bit allocations: small JSON files that say how many bits each layer of a model gets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pbatch/precision.h"
#include "pbatch/status.h"

namespace pbatch {

struct BitAllocation {
  std::string model;             ///< the file it was made for; for readers and messages
  std::string weights_checksum;  ///< as Session::weights_checksum; what the allocation is for
  std::vector<std::pair<std::string, LayerPrecision>> layers;  ///< every layer, once

  /// For readers: what was asked for and what came of it. Not read back.
  std::string target;
  std::optional<double> predicted_error, measured_error, predicted_us, measured_us;
  std::int64_t weight_bytes = 0;
};

/// The text of the file.
std::string allocation_json(const BitAllocation& allocation);

/// malformed for what is no allocation, names a layer twice or has bits that do not exist;
/// unsupported for a later version of the format.
Result<BitAllocation> parse_allocation(const std::string& text);

/// The same from a file; errors of reading it, too. All errors name the file.
Result<BitAllocation> read_allocation(const std::string& path);

}  // namespace pbatch
