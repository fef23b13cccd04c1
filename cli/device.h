// Where networks run: --device.
#pragma once

#include <string>

#include "cli/json.h"
#include "cli/options.h"
#include "pbatch/device.h"
#include "pbatch/session.h"

namespace pbatch::cli {

struct DeviceFlag {
  Device device;

  void add_to(CLI::App& command);
  /// Throws CLI::ValidationError.
  void parse();
  bool given() const { return option_->count() > 0; }

 private:
  std::string text_ = "cpu";
  CLI::Option* option_ = nullptr;
};

/// What the session runs on, and why not on a GPU if that was to be chosen. Empty unless --device
/// was given.
std::string device_line(const DeviceFlag& flag, const Session& session);
/// "device" and "device_name" of a command's JSON: "cpu" or "cuda:0", and the GPU's name or "".
void add_device(const Session& session, nlohmann::json& json);

}  // namespace pbatch::cli
