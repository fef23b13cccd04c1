// A network at one precision, as eval, compare and sweep set them side by side.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "pbatch/precision.h"
#include "pbatch/session.h"
#include "pbatch/status.h"
#include "tools/bench/progress.h"
#include "tools/bench/timing.h"

namespace pbatch {

struct Contender {
  const Session* session = nullptr;
  Precision precision;
  std::string baseline;    ///< name of what is not ours, e.g. "onednn_int8"; else empty
  std::string allocation;  ///< name of what gave each layer a width of its own; else empty
};

/// What is the same for every row of eval and compare.
struct Cost {
  double latency_us = 0;      ///< median time of one item
  double speedup_vs_f32 = 1;  ///< the first contender's latency over this one's
  std::int64_t weight_bytes = 0;
};

/// A run of one or more items; inputs[i] for the i-th, taken in turn.
using InputSets = std::vector<std::vector<NamedTensor>>;

/// Latency and size of each contender; the first is the float network. calls[i] is one call of
/// contender i and goes through `items_per_call` items.
Result<std::vector<Cost>> measure_costs(std::span<const Contender> contenders,
                                        std::span<const TimedCall> calls, double items_per_call,
                                        const TimingOptions& options, Progress& progress);

/// The same, a call being a run. Each input set holds `items_per_set` items. Precondition: inputs
/// is not empty.
Result<std::vector<Cost>> measure_costs(std::span<const Contender> contenders,
                                        const InputSets& inputs, std::int64_t items_per_set,
                                        const TimingOptions& options, Progress& progress);

}  // namespace pbatch
