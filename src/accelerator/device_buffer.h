// Memory of a device that belongs to somebody.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "accelerator/accelerator.h"

namespace pbatch {

/// Movable, not copyable; empty when made by default. Keeps its device. Not safe from several
/// threads at once.
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  /// Holds what it is given; see Accelerator::allocate().
  static Result<DeviceBuffer> allocate(std::shared_ptr<Accelerator> device, std::int64_t bytes);
  /// A copy of host memory.
  static Result<DeviceBuffer> copy_of(std::shared_ptr<Accelerator> device, const void* from,
                                      std::int64_t bytes);
  /// Zeros.
  static Result<DeviceBuffer> zeros(std::shared_ptr<Accelerator> device, std::int64_t bytes);
  ~DeviceBuffer();
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
  DeviceBuffer(std::shared_ptr<Accelerator> device, void* memory, std::int64_t bytes)
      : device_(std::move(device)), memory_(memory), bytes_(bytes) {}
  void swap(DeviceBuffer& other) {
    std::swap(device_, other.device_);
    std::swap(memory_, other.memory_);
    std::swap(bytes_, other.bytes_);
  }

  std::shared_ptr<Accelerator> device_;
  void* memory_ = nullptr;
  std::int64_t bytes_ = 0;
};

}  // namespace pbatch
