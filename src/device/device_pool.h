// Memory for the tensors of one run on a device, used again for later tensors of the same run.
#pragma once

#include <cstdint>
#include <memory>

#include "accelerator/accelerator.h"
#include "pbatch/status.h"

namespace pbatch {

/// For one thread: that which builds the run. The work of a run is done in the order in which it
/// was built, so what is given back may be given out again at once.
class DevicePool {
 public:
  explicit DevicePool(std::shared_ptr<Accelerator> device);
  ~DevicePool();
  DevicePool(const DevicePool&) = delete;
  DevicePool& operator=(const DevicePool&) = delete;

  /// At least `bytes` bytes; given back with the last reference. The memory stays with the pool and
  /// all that was given out.
  Result<std::shared_ptr<void>> take(std::int64_t bytes);

 private:
  struct Shelf;
  std::shared_ptr<Shelf> shelf_;
};

}  // namespace pbatch
