// Inputs on which a network shows what narrower widths do to it.
#pragma once

#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "calibrate/made_up_inputs.h"
#include "pbatch/quantize.h"
#include "tools/eval/contender.h"

namespace pbatch {

struct RecordedInputs {
  InputSets sets;  ///< each of one run
  Statistics statistics = Statistics::noise;
};

/// What `file`, a float network or a model, is fed for statistics: options.samples, or what its
/// kind suggests, noise where nothing does. Of both some runs, spread over what is fed; a network
/// with states that go from run to run has those of a run near the float network. The same for the
/// same arguments. Errors of loading, of samples that do not fit and of the network's runs.
Result<RecordedInputs> record_inputs(const std::string& file, const QuantizeOptions& options,
                                     ThreadPool& pool);

}  // namespace pbatch
