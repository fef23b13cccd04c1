// Second moments made ready for error compensation.
#pragma once

#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "quantize/input_moments.h"

namespace pbatch {

/// Damped (a hundredth of the mean of the diagonal is added to it), scaled so that the diagonal's
/// mean is 1, and with its columns in the order in which they are coded: by falling second moment.
struct MomentFactor {
  std::int64_t cols = 0;
  std::vector<std::int32_t> order;  ///< the column of the matrix that stands at each place
  std::vector<float> moments;       ///< H, [cols][cols] by place
  /// With H = B D B', B upper triangular with ones on its diagonal: B without them, [cols][cols],
  /// zeros below. The error e_i of column i is made up for by column j > i, whose target
  /// becomes w_j + sum over i < j of e_i B_ij.
  std::vector<float> feedback;

  const float* moment_row(std::int64_t place) const { return moments.data() + place * cols; }
  const float* feedback_row(std::int64_t place) const { return feedback.data() + place * cols; }
};

/// The same bits for every number of threads. invalid_argument for moments that are all zero or not
/// finite. `pool` may be null. Throws std::bad_alloc.
Result<MomentFactor> factor_moments(const InputMoments& moments, ThreadPool* pool);

/// The same moments neither damped nor factored: for measuring, without `feedback`.
Result<MomentFactor> order_moments(const InputMoments& moments);

}  // namespace pbatch
