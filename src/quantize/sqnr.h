// The error that a quantization made, measured.
#pragma once

#include <vector>

#include "base/thread_pool.h"
#include "layout/bit_matrix.h"
#include "quantize/weight_view.h"

namespace pbatch {

/// Where an error is too small to matter, or there is none.
inline constexpr double kMaxSqnrDb = 200;

/// Signal to quantization noise in decibels at widths 1 .. planes_available():
/// each prefix of planes is decoded and compared with the weights. At most
/// kMaxSqnrDb. The result does not depend on the number of threads.
/// Throws std::bad_alloc.
std::vector<double> measure_sqnr(const BitMatrix& matrix, const WeightView& weights,
                                 ThreadPool* pool);

}  // namespace pbatch
