#include "device/devices.h"

namespace pbatch {

#define PBATCH_DEVICE(name, number) Result<std::shared_ptr<Accelerator>> open_##name(int index);
#include "device/devices.inc"
#undef PBATCH_DEVICE

namespace {

constexpr DeviceType kDeviceTypes[] = {
#define PBATCH_DEVICE(name, number) {#name, static_cast<Device::Kind>(number), &open_##name},
#include "device/devices.inc"
#undef PBATCH_DEVICE
};

}  // namespace

std::span<const DeviceType> device_types() { return kDeviceTypes; }

const DeviceType* find_device_type(Device::Kind kind) {
  for (const DeviceType& type : kDeviceTypes) {
    if (type.kind == kind) return &type;
  }
  return nullptr;
}

}  // namespace pbatch
