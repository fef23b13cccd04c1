#include "cli/device.h"

#include "tools/render/text.h"

namespace pbatch::cli {
namespace {

constexpr int kMostDevices = 1024;

std::string text_of(const Device& device) {
  return device.kind == Device::Kind::cuda ? "cuda:" + std::to_string(device.index) : "cpu";
}

}  // namespace

void DeviceFlag::add_to(CLI::App& command) {
  option_ = command
                .add_option("--device", text_,
                            "Where the network runs: cpu, cuda (the first NVIDIA GPU), cuda:N, or "
                            "auto: a GPU if there is one, else the CPU")
                ->type_name("DEVICE")
                ->capture_default_str();
}

void DeviceFlag::parse() {
  if (text_ == "cpu") {
    device = Device::cpu();
  } else if (text_ == "auto") {
    device = Device::automatic();
  } else if (text_ == "cuda") {
    device = Device::cuda();
  } else {
    const std::string number = text_.rfind("cuda:", 0) == 0 ? text_.substr(5) : "";
    const bool digits = !number.empty() && number.size() <= 4 &&
                        number.find_first_not_of("0123456789") == std::string::npos;
    if (!digits || std::stoi(number) >= kMostDevices) {
      throw CLI::ValidationError("--device",
                                 "'" + text_ + "' is none of cpu, cuda, cuda:N and auto");
    }
    device = Device::cuda(std::stoi(number));
  }
}

std::string device_line(const DeviceFlag& flag, const Session& session) {
  if (!flag.given()) return {};
  const DeviceInfo& info = session.device();
  std::string line = "device: " + text_of(info.device);
  if (!info.name.empty()) line += ", " + printable(info.name);
  if (!info.reason.empty()) line += "; no GPU is used: " + info.reason;
  return line + "\n";
}

void add_device(const Session& session, nlohmann::json& json) {
  json["device"] = text_of(session.device().device);
  json["device_name"] = session.device().name;
}

}  // namespace pbatch::cli
