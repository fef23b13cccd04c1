// A found allocation as the file that runs and plans take (format/bit_allocation.h).
#pragma once

#include <string>

#include "pbatch/session.h"
#include "tools/allocate/allocate.h"

namespace pbatch {

/// For all layers of `session`, at the precision of `row`. `model`: the path it was found for;
/// `target`: what was asked for, for readers.
std::string allocation_text(const std::string& model, const std::string& target,
                            const Session& session, const AllocationRow& row);

}  // namespace pbatch
