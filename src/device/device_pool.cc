#include "device/device_pool.h"

#include <utility>
#include <vector>

#include "accelerator/device_buffer.h"

namespace pbatch {

struct DevicePool::Shelf {
  struct Slot {
    DeviceBuffer memory;
    bool free = false;
  };
  std::shared_ptr<Accelerator> device;
  std::vector<Slot> slots;
};

DevicePool::DevicePool(std::shared_ptr<Accelerator> device) : shelf_(std::make_shared<Shelf>()) {
  shelf_->device = std::move(device);
}

DevicePool::~DevicePool() = default;

Result<std::shared_ptr<void>> DevicePool::take(std::int64_t bytes) {
  std::vector<Shelf::Slot>& slots = shelf_->slots;
  std::size_t best = slots.size();
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (!slots[i].free || slots[i].memory.bytes() < bytes) continue;
    if (best == slots.size() || slots[i].memory.bytes() < slots[best].memory.bytes()) best = i;
  }
  if (best == slots.size()) {
    PBATCH_ASSIGN_OR_RETURN(DeviceBuffer memory, DeviceBuffer::allocate(shelf_->device, bytes));
    slots.push_back({std::move(memory), false});
  }
  slots[best].free = false;
  return std::shared_ptr<void>(slots[best].memory.as<void>(),
                               [shelf = shelf_, best](void*) { shelf->slots[best].free = true; });
}

}  // namespace pbatch
