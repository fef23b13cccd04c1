// `pbatch bench --tune`.
#pragma once

#include "cli/output.h"
#include "pbatch/status.h"

namespace pbatch::cli {

/// Measures the kernels' costs, about `seconds` for each kernel and product, and stores them where
/// sessions look for them.
Status tune(double seconds, const OutputOptions& output);

}  // namespace pbatch::cli
