#include "accelerator/device_buffer.h"

namespace pbatch {

Result<DeviceBuffer> DeviceBuffer::allocate(std::shared_ptr<Accelerator> device,
                                            std::int64_t bytes) {
  PBATCH_ASSIGN_OR_RETURN(void* memory, device->allocate(bytes));
  return DeviceBuffer(std::move(device), memory, bytes);
}

Result<DeviceBuffer> DeviceBuffer::copy_of(std::shared_ptr<Accelerator> device, const void* from,
                                           std::int64_t bytes) {
  PBATCH_ASSIGN_OR_RETURN(DeviceBuffer buffer, allocate(std::move(device), bytes));
  PBATCH_RETURN_IF_ERROR(buffer.device_->copy_to_device(buffer.memory_, from, bytes));
  return buffer;
}

Result<DeviceBuffer> DeviceBuffer::zeros(std::shared_ptr<Accelerator> device, std::int64_t bytes) {
  PBATCH_ASSIGN_OR_RETURN(DeviceBuffer buffer, allocate(std::move(device), bytes));
  PBATCH_RETURN_IF_ERROR(buffer.device_->clear(buffer.memory_, bytes, nullptr));
  PBATCH_RETURN_IF_ERROR(buffer.device_->synchronize(nullptr));
  return buffer;
}

DeviceBuffer::~DeviceBuffer() {
  if (memory_ != nullptr) device_->release(memory_);
}

}  // namespace pbatch
