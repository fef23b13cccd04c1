// What narrowing one layer does to the outputs.
#pragma once

#include <vector>

#include "tools/allocate/layer_items.h"
#include "tools/bench/progress.h"
#include "tools/eval/contender.h"

namespace pbatch {

/// Fills in LayerChoice::squared_error: runs `session` on `sets` with the layers of one item at a
/// choice and all others as floats of all their bits. Narrow activations are measured once a layer,
/// at its greatest width. Where all that would take longer than about `seconds`, only some widths
/// run, at least the narrowest and the widest, and those between are taken to fall evenly in
/// decibels. Errors of the runs.
Status measure_sensitivity(const Session& session, const InputSets& sets, double seconds,
                           std::vector<LayerItem>& items, Progress& progress);

}  // namespace pbatch
