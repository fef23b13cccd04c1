// Weights that are kept apart from the codes of a heavy-tailed matrix.
#pragma once

#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "quantize/magnitudes.h"
#include "quantize/weight_view.h"

namespace pbatch {

/// As BitMatrix has them.
struct Outliers {
  std::vector<std::int32_t> places;
  std::vector<float> values;
};

/// The weights whose groups can do with the smallest steps without them, at most `most` (a share)
/// of all, as in SpQR (Dettmers et al. 2023). The noise of a group is taken to go with the square
/// of its greatest magnitude: of each group the k greatest weights go that lower it most for each
/// one of them, as long as an outlier gains more than its bits would as bits of codes. None if the
/// noise of the matrix would fall by less than half a decibel, so that bell-shaped weights keep the
/// codes that they have without. `magnitudes`: of these weights. The same for every number of
/// threads. Throws std::bad_alloc.
Outliers find_outliers(const WeightView& weights, const Magnitudes& magnitudes, double most,
                       ThreadPool* pool);

/// The weights [rows][cols] with the mean magnitude of the others of its group, and its own sign,
/// in place of each outlier: what scales are learned from.
std::vector<float> without_outliers(const WeightView& weights, const Outliers& outliers,
                                    std::int64_t group_cols);

}  // namespace pbatch
