// Products of bit-layers for any number of vectors.
#pragma once

#include <cstdint>

#include "device/device_build.h"

namespace pbatch {

/// The bit-layers of the node that is built, at its precision. unsupported for float weights.
Result<const cuda::DeviceMatrix*> matrix_of(DeviceBuild& build, const Node& node);

/// Settings for so many vectors of the node's precision, with the method for this device.
cuda::ProductSettings settings_for(DeviceBuild& build, const cuda::DeviceMatrix& matrix,
                                   std::int64_t batch);

/// Appends Y = X W^T + bias and the activation: x [batch][cols], device memory; out.y [batch][ldy].
Status add_bit_products(DeviceBuild& build, const cuda::DeviceMatrix& matrix, const float* x,
                        std::int64_t batch, const cuda::ProductOutput& out);

}  // namespace pbatch
