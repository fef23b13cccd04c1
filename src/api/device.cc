#include "pbatch/device.h"

#include "device/devices.h"

namespace pbatch {
namespace {

constexpr const char *kCpuName = "cpu", *kAutomaticName = "auto";
constexpr int kMostDevices = 1024;

std::string name_of(Device::Kind kind) {
  if (kind == Device::Kind::cpu) return kCpuName;
  if (kind == Device::Kind::automatic) return kAutomaticName;
  const DeviceType* type = find_device_type(kind);
  return type == nullptr ? "unknown" : type->name;
}

// No digits or too many: -1.
int read_index(std::string_view digits) {
  if (digits.empty() || digits.size() > 4) return -1;
  int index = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return -1;
    index = 10 * index + (c - '0');
  }
  return index < kMostDevices ? index : -1;
}

Status no_such_device(std::string_view text) {
  std::string names;
  for (const std::string& name : device_names()) names += (names.empty() ? "" : ", ") + name;
  return {ErrorCode::invalid_argument, "there is no device '" + std::string(text) + "'",
          "use one of " + names + "; all but cpu may have an index, as in cuda:1"};
}

}  // namespace

std::vector<std::string> device_names() {
  std::vector<std::string> names = {kCpuName};
  for (const DeviceType& type : device_types()) names.emplace_back(type.name);
  names.emplace_back(kAutomaticName);
  return names;
}

Result<Device> Device::parse(std::string_view text) {
  if (text == kCpuName) return cpu();
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  const int index = colon == std::string_view::npos ? 0 : read_index(text.substr(colon + 1));
  if (index >= 0 && name == kAutomaticName) return automatic(index);
  for (const DeviceType& type : device_types()) {
    if (index >= 0 && name == type.name) return Device{type.kind, index};
  }
  return no_such_device(text);
}

std::string Device::to_string() const {
  return kind == Kind::cpu ? kCpuName : name_of(kind) + ":" + std::to_string(index);
}

}  // namespace pbatch
