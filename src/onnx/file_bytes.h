// A regular file open for reading, or bytes in memory in its place.
#pragma once

#include <cstdint>
#include <string>

#include "pbatch/status.h"

namespace pbatch {

class FileBytes {
 public:
  /// Fails with one clear line for what is missing, unreadable or not a regular file.
  static Result<FileBytes> open(const std::string& path);

  /// `name` is for messages.
  static FileBytes in_memory(std::string bytes, std::string name);

  FileBytes(FileBytes&& other) noexcept;
  FileBytes& operator=(FileBytes&& other) noexcept;
  ~FileBytes();

  std::int64_t size() const { return size_; }
  /// The same for whoever opens the same file while nobody writes to it; empty in memory.
  const std::string& identity() const { return identity_; }
  /// Exactly `count` bytes from `offset`; an error if the file ends before.
  Status read(std::int64_t offset, std::int64_t count, void* to) const;

 private:
  FileBytes() = default;
  int descriptor_ = -1;
  std::int64_t size_ = 0;
  std::string path_, identity_;
  std::string memory_;  // without a descriptor
};

}  // namespace pbatch
