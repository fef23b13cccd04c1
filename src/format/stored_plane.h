// One bit-layer in a data file.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "format/safetensors.h"
#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

/// A plane that is read when it is first needed, and checked against its checksum as it is in
/// memory: whatever happens to the file later does not matter. Thread-safe.
class StoredPlane {
 public:
  /// `memory`: takes the bytes; nothing touches it before. `checksum`: as the file records it.
  StoredPlane(Tensor memory, const SafetensorsFile& file, const std::string& name,
              std::string checksum);

  std::span<const std::uint8_t> bytes() const { return memory_.span<std::uint8_t>(); }
  /// Done once it has succeeded. An error if the file has become shorter, or on other bytes.
  Status load();

 private:
  Tensor memory_;
  std::shared_ptr<const FileBytes> file_;  // null once it is read, so that the file can be closed
  std::int64_t begin_;
  std::string path_, name_, checksum_;
  std::mutex mutex_;
  std::atomic<bool> loaded_ = false;
};

}  // namespace pbatch
