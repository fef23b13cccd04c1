// Bit-layers -> floats.
#pragma once

#include "pack/bit_matrix.h"
#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

/// The float32 matrix that the first `width` planes stand for: [rows][cols], or
/// [cols][rows] if `transposed`. Precondition: 1 <= width <= planes_available().
Result<Tensor> dequantize(const BitMatrix& matrix, int width, bool transposed);

}  // namespace pbatch
