// Operators that run on a device, and the table they register in.
#pragma once

#include <span>

#include "device/device_build.h"
#include "graph/graph.h"

namespace pbatch {

/// Builds the part of a node: checks the shapes, takes memory, appends work and sets the outputs
/// that the node has. The caller adds the node's name to errors. At least one input is on the
/// device, or the node has bit-layers.
using DeviceOp = Status (*)(DeviceBuild& build, const Node& node,
                            std::span<const BuildValue> inputs, std::span<BuildValue> outputs);

/// Why a device does not run the node, as far as that is known before there are shapes. Builders
/// count on it.
using DeviceOpCheck = Status (*)(const Node& node);

/// A line of device_ops.inc.
struct DeviceOpEntry {
  const char* domain;
  const char* op_type;
  DeviceOp build;
  DeviceOpCheck check;
};

/// An error if the operator, or this form of it, runs on the CPU only.
Result<const DeviceOpEntry*> find_device_op(const Node& node);

/// The error for something of an operator that runs on the CPU only; `what` begins the line.
Status only_on_the_cpu(const std::string& what);
/// Input i, which must be there, float32 and on the device in the end; `name` is its role.
Result<DeviceTensor> float_input(DeviceBuild& build, std::span<const BuildValue> inputs,
                                 std::size_t i, const char* name);

}  // namespace pbatch
