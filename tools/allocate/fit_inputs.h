// As much of given inputs as there is time for.
#pragma once

#include "pbatch/precision.h"
#include "tools/eval/contender.h"

namespace pbatch {

/// The first of `sets`, one at least, as many as can be run `times` times within about `seconds`;
/// where that is less than one, of the first set half of its items, and so on, so far as all its
/// inputs have as many rows and the network runs on fewer. Errors of the first run.
Result<InputSets> fit_inputs(const Session& session, const Precision& precision, InputSets sets,
                             double times, double seconds);

}  // namespace pbatch
