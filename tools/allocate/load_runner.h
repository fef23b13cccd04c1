// A network whose products can be watched, from a file.
#pragma once

#include <string>

#include "base/thread_pool.h"
#include "calibrate/network_runner.h"
#include "pbatch/quantize.h"

namespace pbatch {

/// Of a model all planes that its matrices have; a float network with plain codes, otherwise as the
/// options say. `pool` must outlive it. Errors of loading.
Result<NetworkRunner> load_runner(const std::string& file, const QuantizeOptions& options,
                                  ThreadPool& pool);

}  // namespace pbatch
