// Device memory that belongs to somebody.
#pragma once

#include <cstdint>
#include <utility>

#include "cuda/runtime.h"

namespace pbatch::cuda {

/// Movable, not copyable; empty when made by default. Not safe from several threads at once.
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  /// Holds what it is given; see allocate().
  static Result<DeviceBuffer> allocate(std::int64_t bytes) {
    PBATCH_ASSIGN_OR_RETURN(void* memory, cuda::allocate(bytes));
    return DeviceBuffer(memory, bytes);
  }
  /// A copy of host memory.
  static Result<DeviceBuffer> copy_of(const void* from, std::int64_t bytes) {
    PBATCH_ASSIGN_OR_RETURN(DeviceBuffer buffer, allocate(bytes));
    PBATCH_RETURN_IF_ERROR(copy_to_device(buffer.memory_, from, bytes));
    return buffer;
  }
  /// Zeros.
  static Result<DeviceBuffer> zeros(std::int64_t bytes) {
    PBATCH_ASSIGN_OR_RETURN(DeviceBuffer buffer, allocate(bytes));
    PBATCH_RETURN_IF_ERROR(clear(buffer.memory_, bytes, nullptr));
    PBATCH_RETURN_IF_ERROR(synchronize(nullptr));
    return buffer;
  }
  ~DeviceBuffer() {
    if (memory_ != nullptr) release(memory_);
  }
  DeviceBuffer(DeviceBuffer&& other) noexcept { swap(other); }
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept {
    swap(other);
    return *this;
  }

  std::int64_t bytes() const { return bytes_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(memory_);
  }

 private:
  DeviceBuffer(void* memory, std::int64_t bytes) : memory_(memory), bytes_(bytes) {}
  void swap(DeviceBuffer& other) {
    std::swap(memory_, other.memory_);
    std::swap(bytes_, other.bytes_);
  }

  void* memory_ = nullptr;
  std::int64_t bytes_ = 0;
};

}  // namespace pbatch::cuda
