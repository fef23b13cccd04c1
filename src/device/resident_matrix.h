// A matrix of bit-layers that stays on a device, for every width.
#pragma once

#include <memory>
#include <mutex>

#include "accelerator/accelerator.h"
#include "layout/bit_matrix.h"

namespace pbatch {

/// Takes memory for all planes at hand at the first use; planes and scales are copied when a width
/// first needs them. Thread-safe.
class ResidentMatrix {
 public:
  ResidentMatrix(std::shared_ptr<const BitMatrix> matrix, std::shared_ptr<Accelerator> device);

  /// With the planes and scales of `weight_bits`, 1 to 16. An error if fewer planes are at hand, or
  /// they fail their checksums. Valid as long as this object.
  Result<const DeviceMatrix*> get(int weight_bits);

 private:
  Status add_width(int weight_bits);

  const std::shared_ptr<const BitMatrix> matrix_;
  const std::shared_ptr<Accelerator> device_;
  std::mutex mutex_;
  std::unique_ptr<DeviceMatrix> there_;
};

}  // namespace pbatch
