// Precisions from C.
#pragma once

#include "pbatch/pbatch.h"
#include "pbatch/precision.h"
#include "pbatch/status.h"

namespace pbatch {

/// An error for null pointers; what the numbers mean is for the session to check.
Result<Precision> read_precision(const pbatch_precision* given);

}  // namespace pbatch
