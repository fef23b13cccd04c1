// Operators that run on a device, and the table they register in.
#pragma once

#include <span>

#include "execute/device/device_build.h"
#include "graph/graph.h"

namespace pbatch {

/// Builds the part of a node: checks the shapes, takes memory, appends work and sets the outputs
/// that the node has. The caller adds the node's name to errors. At least one input is on the
/// device.
using DeviceOp = Status (*)(DeviceBuild& build, const Node& node,
                            std::span<const BuildValue> inputs, std::span<BuildValue> outputs);

/// Null if the operator runs on the CPU only.
DeviceOp find_device_op(const Node& node);
/// Why the device does not run the node, as far as that is known before there are shapes. The
/// builders count on it.
Status check_device_op(const Node& node);

/// The error for something of an operator that runs on the CPU only; `what` begins the line.
Status only_on_the_cpu(const std::string& what);
/// Input i, which must be there, float32 and on the device in the end; `name` is its role.
Result<DeviceTensor> float_input(DeviceBuild& build, std::span<const BuildValue> inputs,
                                 std::size_t i, const char* name);

}  // namespace pbatch
