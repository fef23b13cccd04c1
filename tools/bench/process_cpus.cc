#include "tools/bench/process_cpus.h"

#include <sched.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/cpus.h"

namespace pbatch {

int process_cpu_count() { return usable_cpu_count(); }

Status confine_process(const std::vector<int>& cpus) {
  PBATCH_RETURN_IF_ERROR(check_cpus(cpus));
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : cpus) CPU_SET(static_cast<std::size_t>(cpu), &set);
  std::error_code error;
  for (std::filesystem::directory_iterator task("/proc/self/task", error), end;
       !error && task != end; task.increment(error)) {
    const int id = std::atoi(task->path().filename().c_str());
    // A thread may have ended since it was listed.
    if (sched_setaffinity(id, sizeof set, &set) != 0 && errno != ESRCH)
      return cpus_refused(cpus, errno);
  }
  return error ? cpus_refused(cpus, error.value()) : Status::ok();
}

}  // namespace pbatch
