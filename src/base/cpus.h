// The CPUs that this process may use.
#pragma once

#include <thread>
#include <vector>

#include "pbatch/status.h"

namespace pbatch {

/// Ascending; empty if the system does not tell.
std::vector<int> usable_cpus();
/// usable_cpus(), counted; at least 1.
int usable_cpu_count();

/// invalid_argument if a CPU stands there twice or is not among the usable ones.
Status check_cpus(const std::vector<int>& cpus);

/// Lets the thread run on this CPU only.
Status pin_thread(std::thread::native_handle_type thread, int cpu);
/// What a system says that does not let threads run there; `error`: an errno.
Status cpus_refused(const std::vector<int>& cpus, int error);

}  // namespace pbatch
