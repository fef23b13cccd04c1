#include "cli/device.h"

#include "tools/render/text.h"

namespace pbatch::cli {
namespace {

std::string names_of_devices() {
  std::string names;
  for (const std::string& name : device_names()) names += (names.empty() ? "" : ", ") + name;
  return names;
}

}  // namespace

void DeviceFlag::add_to(CLI::App& command) {
  option_ = command
                .add_option("--device", text_,
                            "Where the network runs: " + names_of_devices() +
                                "; all but cpu may have an index (cuda:1). auto: a device if there "
                                "is one that runs the network, else the CPU")
                ->type_name("DEVICE")
                ->capture_default_str();
}

void DeviceFlag::parse() {
  Result<Device> parsed = Device::parse(text_);
  if (!parsed) throw CLI::ValidationError("--device", parsed.status().to_line());
  device = *parsed;
}

std::string device_line(const DeviceFlag& flag, const Session& session) {
  if (!flag.given()) return {};
  const DeviceInfo& info = session.device();
  std::string line = "device: " + info.device.to_string();
  if (!info.name.empty()) line += ", " + printable(info.name);
  if (!info.reason.empty()) line += "; no other is used: " + info.reason;
  return line + "\n";
}

void add_device(const Session& session, nlohmann::json& json) {
  json["device"] = session.device().device.to_string();
  json["device_name"] = session.device().name;
}

}  // namespace pbatch::cli
