// Memory of a device that belongs to somebody.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "cuda/device.h"

namespace pbatch::cuda {

/// Movable, not copyable; empty when made by default. Keeps its device. Not safe from several
/// threads at once.
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  /// Holds what it is given; see Device::allocate().
  static Result<DeviceBuffer> allocate(std::shared_ptr<Device> device, std::int64_t bytes) {
    PBATCH_ASSIGN_OR_RETURN(void* memory, device->allocate(bytes));
    return DeviceBuffer(std::move(device), memory, bytes);
  }
  /// A copy of host memory.
  static Result<DeviceBuffer> copy_of(std::shared_ptr<Device> device, const void* from,
                                      std::int64_t bytes) {
    PBATCH_ASSIGN_OR_RETURN(DeviceBuffer buffer, allocate(std::move(device), bytes));
    PBATCH_RETURN_IF_ERROR(buffer.device_->copy_to_device(buffer.memory_, from, bytes));
    return buffer;
  }
  /// Zeros.
  static Result<DeviceBuffer> zeros(std::shared_ptr<Device> device, std::int64_t bytes) {
    PBATCH_ASSIGN_OR_RETURN(DeviceBuffer buffer, allocate(std::move(device), bytes));
    PBATCH_RETURN_IF_ERROR(buffer.device_->clear(buffer.memory_, bytes, nullptr));
    PBATCH_RETURN_IF_ERROR(buffer.device_->synchronize(nullptr));
    return buffer;
  }
  ~DeviceBuffer() {
    if (memory_ != nullptr) device_->release(memory_);
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
  DeviceBuffer(std::shared_ptr<Device> device, void* memory, std::int64_t bytes)
      : device_(std::move(device)), memory_(memory), bytes_(bytes) {}
  void swap(DeviceBuffer& other) {
    std::swap(device_, other.device_);
    std::swap(memory_, other.memory_);
    std::swap(bytes_, other.bytes_);
  }

  std::shared_ptr<Device> device_;
  void* memory_ = nullptr;
  std::int64_t bytes_ = 0;
};

}  // namespace pbatch::cuda
