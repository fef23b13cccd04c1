// The frontier of planned widths beside that of uniform ones.
#pragma once

#include <vector>

#include "tools/allocate/layer_items.h"
#include "tools/bench/progress.h"
#include "tools/eval/contender.h"

namespace pbatch {

/// An allocation that reads no more bytes than all layers at weight_bits.
struct PlannedWidth {
  int weight_bits = 0;
  Precision precision;
};

/// For each of widths.weight_bits, with the greatest of widths.activation_bits, the allocation of
/// least error by the sum over the layers, measured as by measure_sensitivity. Those that are the
/// uniform width, or another's, are left out. Errors of the runs.
Result<std::vector<PlannedWidth>> plan_frontier(const Session& session, const InputSets& sets,
                                                const WidthRange& widths, double seconds,
                                                Progress& progress);

}  // namespace pbatch
