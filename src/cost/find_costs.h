// The costs that a session and a bench choose kernels by.
#pragma once

#include <string>

#include "cost/stored_costs.h"
#include "pbatch/status.h"

namespace pbatch {

/// load_kernel_costs(), but where that is the built-in table and nothing asks for it, the built-in
/// table in line with what this machine takes (measure_speeds()): as the first caller on this
/// machine left it in the cache folder, adapted-costs-<isa>.txt, else measured now, within about
/// 100 ms, once a process. Where the folder cannot be written the process keeps it for itself;
/// processes that measure at the same time each leave a whole file, the last one's. A machine too
/// busy or too slow takes the built-in table as it is. Safe from many threads.
Result<CostSource> find_kernel_costs(IsaChoice isa, const std::string& choice);

}  // namespace pbatch
