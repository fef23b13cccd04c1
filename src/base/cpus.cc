#include "base/cpus.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace pbatch {
namespace {

// Ascending numbers as ranges: 0-3,8.
std::string ranges(const std::vector<int>& cpus) {
  std::string out;
  for (std::size_t i = 0; i < cpus.size();) {
    std::size_t last = i;
    while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1) ++last;
    out += (out.empty() ? "" : ",") + std::to_string(cpus[i]);
    if (last > i) out += "-" + std::to_string(cpus[last]);
    i = last + 1;
  }
  return out;
}

}  // namespace

std::vector<int> usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

int usable_cpu_count() { return std::max(1, static_cast<int>(usable_cpus().size())); }

Status check_cpus(const std::vector<int>& cpus) {
  const std::vector<int> usable = usable_cpus();
  for (std::size_t i = 0; i < cpus.size(); ++i) {
    if (std::find(cpus.begin(), cpus.begin() + static_cast<std::ptrdiff_t>(i), cpus[i]) !=
        cpus.begin() + static_cast<std::ptrdiff_t>(i)) {
      return {ErrorCode::invalid_argument, "CPU " + std::to_string(cpus[i]) + " is named twice",
              "name one CPU for each thread"};
    }
    if (!std::binary_search(usable.begin(), usable.end(), cpus[i])) {
      return {ErrorCode::invalid_argument,
              "CPU " + std::to_string(cpus[i]) + " does not exist or is closed to this process",
              "choose among " + ranges(usable) + ", or change what taskset or the container allow"};
    }
  }
  return Status::ok();
}

Status cpus_refused(const std::vector<int>& cpus, int error) {
  std::vector<int> sorted = cpus;
  std::sort(sorted.begin(), sorted.end());
  return {
      ErrorCode::io,
      "the system does not let threads run on CPU " + ranges(sorted) + ": " + std::strerror(error),
      "choose other CPUs"};
}

Status pin_thread(std::thread::native_handle_type thread, int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpu), &set);
  const int error = pthread_setaffinity_np(thread, sizeof set, &set);
  return error == 0 ? Status::ok() : cpus_refused({cpu}, error);
}

}  // namespace pbatch
