// The device that a session asks for.
#pragma once

#include <memory>

#include "device/device_network.h"
#include "pbatch/device.h"

namespace pbatch {

struct ChosenDevice {
  DeviceInfo info;
  std::unique_ptr<DeviceNetwork> network;  ///< null on the CPU
};

/// The program on that device, or on the first that there is if it is to be found out; else, only
/// then, the CPU with the reason. `program` must outlive the network. What the network lacks is
/// said on every machine, one without a device too. invalid_argument for a kind that does not
/// exist.
Result<ChosenDevice> choose_device(const Program& program, const Device& wanted);

}  // namespace pbatch
