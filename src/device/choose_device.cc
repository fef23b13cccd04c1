#include "device/choose_device.h"

#include <utility>

#include "device/devices.h"

namespace pbatch {
namespace {

Result<ChosenDevice> open_on(const DeviceType& type, const Program& program, int index) {
  PBATCH_ASSIGN_OR_RETURN(const std::shared_ptr<Accelerator> opened, type.open(index));
  ChosenDevice chosen;
  PBATCH_ASSIGN_OR_RETURN(chosen.network, DeviceNetwork::create(program, opened));
  chosen.info = {{type.kind, index}, opened->name(), {}};
  return chosen;
}

}  // namespace

Result<ChosenDevice> choose_device(const Program& program, const Device& wanted) {
  ChosenDevice on_cpu;
  if (wanted.kind == Device::Kind::cpu) return on_cpu;
  const bool automatic = wanted.kind == Device::Kind::automatic;
  const DeviceType* const type = find_device_type(wanted.kind);
  if (!automatic && type == nullptr) {
    return Status(ErrorCode::invalid_argument, "that device does not exist",
                  "use one of device_names()");
  }
  if (const Status lacks = DeviceNetwork::check(program.graph()); !lacks) {
    if (!automatic) return lacks;
    on_cpu.info.reason = lacks.to_line();
    return on_cpu;
  }
  if (!automatic) return open_on(*type, program, wanted.index);
  for (const DeviceType& each : device_types()) {
    Result<ChosenDevice> opened = open_on(each, program, wanted.index);
    if (opened) return opened;
    std::string& reason = on_cpu.info.reason;
    reason += (reason.empty() ? "" : "; ") + opened.status().to_line();
  }
  return on_cpu;
}

}  // namespace pbatch
