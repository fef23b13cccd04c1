// Places in one block of memory for values that live at different times.
#pragma once

#include <cstddef>
#include <map>

namespace pbatch {

/// Offsets for allocations and frees in the order in which they will happen: the smallest gap that
/// is large enough, else more memory. All are multiples of 64 bytes.
class Arena {
 public:
  /// Where `bytes` bytes may lie until they are freed.
  std::size_t allocate(std::size_t bytes);
  /// Of what allocate(bytes) returned.
  void free(std::size_t offset, std::size_t bytes);
  /// Most bytes that were ever in use at once, with the gaps between them.
  std::size_t bytes() const { return bytes_; }

 private:
  std::map<std::size_t, std::size_t> gaps_;  // offset to size; never adjacent
  std::size_t bytes_ = 0;
};

}  // namespace pbatch
