// One float matrix -> bit-layers.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/thread_pool.h"
#include "layout/bit_matrix.h"
#include "pbatch/status.h"
#include "quantize/weight_view.h"

namespace pbatch {

struct QuantizedMatrix {
  std::shared_ptr<const BitMatrix> matrix;
  std::vector<double> sqnr_db;  ///< measure_sqnr() of it
};

/// Codes and scales of least error over all widths (docs/bit-layers.md). The
/// result does not depend on the number of threads. `pool` may be null.
/// Rows whose greatest magnitude is below 2^-100 count as zeros.
/// Fails for planes outside 1..16, a group that is not 0, 32, 64 or 128, an
/// empty matrix, and for NaN or infinite weights.
/// `outliers`: the share of the weights that may be kept apart (find_outliers); 0: none.
Result<QuantizedMatrix> quantize_matrix(const WeightView& weights, int planes, int group,
                                        ThreadPool* pool, double outliers = 0);

/// `group` of QuantizeOptions for a matrix of so many weights: what kAutoGroup stands for. Small
/// matrices are in small networks, which lose more to noise, and less of whose time is products.
int group_for(int group, std::int64_t elements);

/// `planes` and `group` as quantize_matrix() takes them.
Status check_quantization(int planes, int group);

}  // namespace pbatch
