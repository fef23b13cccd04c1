// Fair timing of several things on one noisy machine.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "pbatch/status.h"
#include "tools/bench/progress.h"

namespace pbatch {

struct Timing {
  double min_us = 0, median_us = 0;
  std::int64_t calls = 0;  ///< timed calls
};

struct TimingOptions {
  double seconds = 0.5;        ///< timed work per contender, about
  int min_rounds = 5;          ///< even where that takes longer
  double turn_seconds = 0.01;  ///< of one contender in a round with one thread; at least one call
  /// By contender, false beyond the end: its threads (OpenMP, OpenBLAS) spin for a while when it is
  /// done and would take the cores from the next contender. A pause lets them fall asleep.
  std::vector<bool> leaves_awake;
};

/// One call of a contender; the argument counts its calls from 0.
using TimedCall = std::function<Status(std::int64_t)>;

/// Times contenders side by side: rounds, in each of which every contender in
/// turn makes one untimed call, which brings its weights back into the caches,
/// and then several timed ones. A slow spell of the machine so falls on all of
/// them. Stops at the first call that fails.
Result<std::vector<Timing>> time_interleaved(std::span<const TimedCall> contenders,
                                             const TimingOptions& options, Progress& progress);

}  // namespace pbatch
