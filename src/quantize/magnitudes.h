// How large the weights are: what row scales, steps and sampling depend on.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "pbatch/status.h"
#include "quantize/scale_codebook.h"
#include "quantize/weight_view.h"

namespace pbatch {

struct Magnitudes {
  std::int64_t groups = 0;      ///< per row
  std::int64_t group_cols = 0;  ///< columns of a group; the last may have fewer
  std::vector<float> row_scale;
  std::vector<float> greatest;  ///< [rows][groups]: greatest |w| of each group

  /// One over the scale; 0 for rows of zeros.
  float gain(std::int64_t row) const {
    const float s = row_scale[static_cast<std::size_t>(row)];
    return s > 0 ? 1 / s : 0;
  }
};

/// `group` 0: whole rows. Fails at the first NaN or infinite weight.
Result<Magnitudes> measure_magnitudes(const WeightView& weights, int group, ThreadPool* pool);

/// For fit_ladder(): what steps the groups want, from `smallest_step` times their
/// greatest magnitude (clipping it) to all of it.
std::array<double, 256> step_mass(const Magnitudes& magnitudes, float smallest_step);

/// Groups from all over the matrix, those of zeros left out; the same for every call.
GroupSample sample_groups(const WeightView& weights, const Magnitudes& magnitudes);

}  // namespace pbatch
