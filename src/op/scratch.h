// Places in the scratch memory of a step.
#pragma once

#include <cstddef>
#include <cstdint>

#include "op/step.h"

namespace pbatch {

/// One behind the other, each on a cache line of its own.
class ScratchLayout {
 public:
  /// Where `bytes` bytes lie, from StepCall::scratch.
  std::size_t add(std::size_t bytes) {
    const std::size_t offset = bytes_;
    bytes_ += (bytes + 63) / 64 * 64;
    return offset;
  }
  template <class T>
  std::size_t add(std::int64_t count) {
    return add(static_cast<std::size_t>(count) * sizeof(T));
  }
  /// StepPlan::scratch_bytes.
  std::size_t bytes() const { return bytes_; }

 private:
  std::size_t bytes_ = 0;
};

template <class T>
T* scratch_at(const StepCall& call, std::size_t offset) {
  return reinterpret_cast<T*>(static_cast<std::byte*>(call.scratch) + offset);
}

}  // namespace pbatch
