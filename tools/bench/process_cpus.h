// Where a program runs.
#pragma once

#include <vector>

#include "pbatch/status.h"

namespace pbatch {

/// CPUs that this process may use; at least 1.
int process_cpu_count();

/// Lets the whole process, also threads that libraries have started, run on these only.
/// invalid_argument if one stands there twice or is closed to it.
Status confine_process(const std::vector<int>& cpus);

}  // namespace pbatch
