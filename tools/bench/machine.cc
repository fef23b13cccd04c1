#include "tools/bench/machine.h"

#include <sched.h>

#include "base/utc_now.h"
#include "isa/cpu.h"
#include "isa/isa.h"

namespace pbatch {
namespace {

int usable_cores() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
}

}  // namespace

Result<RunConditions> run_conditions(int threads, const std::string& command) {
  PBATCH_ASSIGN_OR_RETURN(const IsaChoice isa, select_isa());
  return RunConditions{cpu_name(), usable_cores(), isa_name(isa.best), threads, utc_now(), command};
}

}  // namespace pbatch
