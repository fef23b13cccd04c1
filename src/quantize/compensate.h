// Error-compensated codes for all widths at once.
#pragma once

#include <memory>
#include <vector>

#include "base/thread_pool.h"
#include "layout/bit_matrix.h"
#include "pbatch/status.h"
#include "quantize/input_moments.h"
#include "quantize/weight_view.h"

namespace pbatch {

struct CompensatedMatrix {
  std::shared_ptr<const BitMatrix> matrix;  ///< null where the plain code is better
  /// What the error of the outputs lost against the plain code at width i + 1, in decibels,
  /// measured on the moments that the code was not fitted to; widths of TreeWidths, the others
  /// interpolated.
  std::vector<double> gain_db;
};

/// New codes and narrow scales for the weights that `plain` holds in up to 16 planes, so that the
/// error of the products is small on inputs of these second moments: feedback of errors as in GPTQ
/// (Frantar et al. 2023), but with one path for each width and one code chosen for all of them by a
/// tree, as MatGPTQ (arXiv 2602.03537) compensates across widths; then coordinate descent. Row
/// scales, steps and sizes stay. Planes beyond the eighth tell where in the code's cell the weight
/// lies. The result is the same for every number of threads and on every machine. `pool` may be
/// null. Errors: moments that do not fit the matrix or are not usable, out_of_memory.
Result<CompensatedMatrix> compensate_matrix(const WeightView& weights, const BitMatrix& plain,
                                            const MatrixMoments& moments, ThreadPool* pool);

}  // namespace pbatch
