// Memory for weights in the form in which kernels read them, in all sessions of the process.
#pragma once

#include <cstdint>

#include "pbatch/export.h"

namespace pbatch {

struct WeightMemory {
  std::int64_t bytes = 0;     ///< in use, besides the models: scales and copies in kernels' layouts
  std::int64_t limit = 0;     ///< 0: none
  std::int64_t given_up = 0;  ///< how often a plan or a copy was given up for the limit
};

/// As it is now. Thread-safe.
PBATCH_API WeightMemory weight_memory();

/// A bound for `bytes`, from now on and at once; 0, as it is at first, for none. Above it, plans
/// and copies that were used least recently are given up and made again when a run needs them,
/// which takes time: `given_up` tells. A run's own weights are made, whatever the bound. Not
/// counted: the floats that weight_bits 32 runs on, and a GPU's memory. Less than 0 counts as 0.
/// Thread-safe.
PBATCH_API void limit_weight_memory(std::int64_t bytes);

}  // namespace pbatch
