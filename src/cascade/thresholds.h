// The threshold of one stage of a cascade, from margins and agreement of calibration items.
#pragma once

#include <cstdint>
#include <vector>

#include "pbatch/cascade.h"

namespace pbatch {

/// Most items that may disagree so that the Clopper-Pearson upper bound of their share is at most
/// `share`; -1 if even none is too many.
std::int64_t most_disagreements(std::int64_t items, double share, double confidence);

/// The least threshold above which at most `most` items disagree; minus infinity if that many do
/// not disagree at all. The bound is left 0. Precondition: both lists are as long, most >= 0.
StageCalibration find_threshold(const std::vector<double>& margins, const std::vector<bool>& agrees,
                                std::int64_t most);

}  // namespace pbatch
