// A file read front to back, plain or gzip, told apart by content.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "pbatch/status.h"

namespace pbatch {

class ByteSource {
 public:
  /// Opens a regular file. Messages name the path.
  static Result<ByteSource> open(const std::string& path);

  /// At least 1 and at most `bytes` bytes, or 0 at the end.
  Result<std::size_t> read_some(void* out, std::size_t bytes);
  /// Exactly `bytes` bytes; malformed if the file ends before.
  Status read(void* out, std::size_t bytes);
  /// Malformed if anything follows what was read. Also verifies gzip's checksum.
  Status expect_end();
  /// No more bytes than this can come out: the size on disk, or for gzip that
  /// size times deflate's highest ratio. Bounds what a header may claim.
  std::int64_t most_bytes() const { return most_bytes_; }
  const std::string& path() const { return path_; }

 private:
  struct Closer {
    void operator()(void* file) const;
  };

  std::string path_;
  std::unique_ptr<void, Closer> file_;
  std::int64_t most_bytes_ = 0;
};

}  // namespace pbatch
