// A file mapped into memory for reading.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "pbatch/status.h"

namespace pbatch {

/// Pages are read when they are first touched and shared between processes. A
/// file that another program cuts while it is mapped ends this process (SIGBUS),
/// as with every memory-mapped reader; replace model files by renaming.
class MappedFile {
 public:
  static Result<std::shared_ptr<const MappedFile>> open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::uint8_t> bytes() const { return {data_, size_}; }

 private:
  MappedFile() = default;
  const std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace pbatch
