// A float matrix -> bit-layers.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/thread_pool.h"
#include "pack/bit_matrix.h"
#include "pbatch/status.h"

namespace pbatch {

/// Where the weights stand: element (r, c) at data[r * row_stride + c * col_stride].
struct FloatMatrixView {
  const float* data = nullptr;
  std::int64_t rows = 0, cols = 0;
  std::int64_t row_stride = 0, col_stride = 1;
};

struct QuantizedMatrix {
  std::shared_ptr<const BitMatrix> matrix;
  std::vector<double> sqnr_db;   ///< of the first n planes, at index n - 1
};

/// Largest weight that bit-layers hold: beyond it products could overflow where
/// float arithmetic would not.
inline constexpr float kLargestWeight = 18446744073709551616.0F;   // 2^64

/// Codes the matrix in `planes` (1 to 16) bit-layers with one scale per `group`
/// columns (32, 64, 128, or 0 for whole rows). Uses the weights alone
/// (docs/bit-layers.md). The result does not depend on the threads of `pool`.
/// not_finite for a NaN or an infinity; unsupported for |w| > kLargestWeight.
Result<QuantizedMatrix> quantize_matrix(const FloatMatrixView& weights, int planes, int group,
                                        ThreadPool& pool);

/// Signal to quantization noise of the first `width` planes, in decibels; 300
/// where nothing is lost.
double measure_sqnr_db(const FloatMatrixView& weights, const BitMatrix& matrix, int width);

}  // namespace pbatch
