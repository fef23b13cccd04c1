// Codes whose errors add up to little.
#pragma once

#include <memory>
#include <vector>

#include "base/thread_pool.h"
#include "layout/bit_matrix.h"
#include "pbatch/status.h"
#include "quantize/weight_view.h"

namespace pbatch {

/// `plain` with codes that also keep the sums of a row's errors small, at all widths: inputs that
/// have a mean, such as those behind Relu, multiply the sum. Errors e of a row are taken to cost
/// e e' + share (sum e)^2, as if inputs had the second moments I + share * ones ones'. From the
/// narrowest width to the widest, weights take the code next to theirs where that lowers the cost,
/// the cheapest first (docs/bit-layers.md, "Sums of errors"; SQuant, Guo et al. 2022, does so for
/// one width). Scales, outliers and sizes stay. Time: a sort of each row. `sqnr_db`: measure_sqnr()
/// of `plain`. The same for every number of threads and on every machine. Error: out_of_memory.
Result<std::shared_ptr<const BitMatrix>> balance_row_sums(const WeightView& weights,
                                                          const BitMatrix& plain,
                                                          const std::vector<double>& sqnr_db,
                                                          double share, ThreadPool* pool);

}  // namespace pbatch
