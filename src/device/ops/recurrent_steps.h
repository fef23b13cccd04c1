// All steps of a recurrent layer on a device, for any kind of product.
#pragma once

#include <cstdint>
#include <functional>

#include "device/device_op.h"
#include "op/recurrent/recurrent_node.h"

namespace pbatch {

/// One of the parts in which the recurrent matrix multiplies states: row blocks first .. first +
/// blocks - 1, gate-tiled.
struct RecurrentPart {
  const DeviceProduct* quantizer = nullptr;  ///< quantizes the part's vectors; null: float weights
  /// Multiplies `x` (or what was quantized) to y [batch][ldy].
  std::function<DeviceBuild::Work(const float* x, std::int64_t ldx, float* y, std::int64_t ldy)>
      multiply;
};

/// Makes a part for `batch` vectors.
using MakeRecurrentPart = std::function<Result<RecurrentPart>(
    std::int64_t first, std::int64_t blocks, std::int64_t batch)>;

/// Builds the layer of a node: checks the inputs, takes the states' memory, appends every step.
/// `first_optional`: as RecurrentNode::create has `first`.
Status build_steps(DeviceBuild& build, const Node& node, std::size_t first_optional,
                   std::span<const BuildValue> inputs, std::span<BuildValue> outputs,
                   const MakeRecurrentPart& make_part);

}  // namespace pbatch
