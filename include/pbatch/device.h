// Where a network runs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pbatch/export.h"
#include "pbatch/status.h"

namespace pbatch {

/// The CPU, another device (an NVIDIA GPU), or whichever there is.
struct Device {
  /// Devices that come later have numbers from 3 on, and names that parse() reads.
  enum class Kind { cpu = 0, cuda = 1, automatic = 2 };
  Kind kind = Kind::cpu;
  int index = 0;  ///< of the devices of that kind, from 0

  static Device cpu() { return {}; }
  /// The NVIDIA GPU, or an error that says why not.
  static Device cuda(int index = 0) { return {Kind::cuda, index}; }
  /// The first kind of device of which that one is there and runs the network; else the CPU, and
  /// why.
  static Device automatic(int index = 0) { return {Kind::automatic, index}; }

  /// A name of device_names(); all but "cpu" may have an index, 0 to 1023: "cuda:1".
  /// invalid_argument for another text; the remedy lists the names. Thread-safe.
  PBATCH_API static Result<Device> parse(std::string_view text);
  /// "cpu", or a name with its index: "cuda:0", "auto:0". What parse() reads.
  PBATCH_API std::string to_string() const;

  friend bool operator==(const Device&, const Device&) = default;
};

/// "cpu", the devices that this library knows, whether or not the build and the machine have them,
/// and "auto". Thread-safe.
PBATCH_API std::vector<std::string> device_names();

/// What a session runs on.
struct DeviceInfo {
  Device device;       ///< never Device::automatic()
  std::string name;    ///< of the device, e.g. "NVIDIA H100 80GB HBM3"; empty for the CPU
  std::string reason;  ///< why Device::automatic() is the CPU: one line; else empty
};

}  // namespace pbatch
