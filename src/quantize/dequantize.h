// Bit-layers -> floats.
#pragma once

#include <cstdint>

#include "layout/bit_matrix.h"
#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

/// The float32 matrix that the first `width` planes stand for: [rows][cols], or
/// [cols][rows] if `transposed`. Precondition: 1 <= width <= planes_available().
Result<Tensor> dequantize(const BitMatrix& matrix, int width, bool transposed);

/// One row of it, out[cols]; reads no other planes and takes no memory. Same precondition.
void dequantize_row(const BitMatrix& matrix, int width, std::int64_t row, float* out);

/// Asks for the memory that dequantize_row will read, which lies in many places, without waiting
/// for it.
void prefetch_row(const BitMatrix& matrix, int width, std::int64_t row);

}  // namespace pbatch
