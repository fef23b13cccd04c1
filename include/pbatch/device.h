// Where a network runs.
#pragma once

#include <string>

namespace pbatch {

/// A CPU, an NVIDIA GPU, or whichever there is.
struct Device {
  enum class Kind { cpu, cuda, automatic };
  Kind kind = Kind::cpu;
  int index = 0;  ///< of the GPU, from 0

  static Device cpu() { return {}; }
  /// The GPU, or an error that says why not.
  static Device cuda(int index = 0) { return {Kind::cuda, index}; }
  /// That GPU if it is there and runs the network; else the CPU, and why.
  static Device automatic(int index = 0) { return {Kind::automatic, index}; }
  friend bool operator==(const Device&, const Device&) = default;
};

/// What a session runs on.
struct DeviceInfo {
  Device device;       ///< cpu or cuda
  std::string name;    ///< of the GPU, e.g. "NVIDIA H100 80GB HBM3"; empty for the CPU
  std::string reason;  ///< why Device::automatic() is the CPU: one line; else empty
};

}  // namespace pbatch
