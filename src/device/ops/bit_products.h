// Products of bit-layers for any number of vectors.
#pragma once

#include <cstdint>

#include "device/device_build.h"

namespace pbatch {

/// The bit-layers of the node that is built, at its precision. unsupported for float weights.
Result<const DeviceMatrix*> matrix_of(DeviceBuild& build, const Node& node);

/// A product of the node's precision with `batch` vectors and row blocks first .. first + blocks -
/// 1, kept as long as the run; blocks -1: all.
Result<const DeviceProduct*> make_product(DeviceBuild& build, const DeviceMatrix& matrix,
                                          std::int64_t batch, std::int64_t first = 0,
                                          std::int64_t blocks = -1);

/// Appends Y = X W^T + bias and the activation: x [batch][cols], device memory; out.y [batch][ldy].
Status add_bit_products(DeviceBuild& build, const DeviceMatrix& matrix, const float* x,
                        std::int64_t batch, const ProductOutput& out);

}  // namespace pbatch
