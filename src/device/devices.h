// The devices that the library knows besides the CPU: devices.inc.
#pragma once

#include <memory>
#include <span>

#include "accelerator/accelerator.h"
#include "pbatch/device.h"

namespace pbatch {

struct DeviceType {
  const char* name;
  Device::Kind kind;
  /// The device `index`, or an error that says why there is none.
  Result<std::shared_ptr<Accelerator>> (*open)(int index);
};

/// In the order in which Device::automatic() tries them.
std::span<const DeviceType> device_types();
/// Null if it is the CPU's, or no device's.
const DeviceType* find_device_type(Device::Kind kind);

}  // namespace pbatch
