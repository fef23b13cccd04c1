#include "tools/bench/machine.h"

#include "base/utc_now.h"
#include "isa/cpu.h"
#include "isa/isa.h"
#include "tools/bench/process_cpus.h"

namespace pbatch {
Result<RunConditions> run_conditions(int threads, const std::string& command) {
  PBATCH_ASSIGN_OR_RETURN(const IsaChoice isa, select_isa());
  return RunConditions{cpu_name(), process_cpu_count(), isa_name(isa.best),
                       threads,    utc_now(),           command};
}

}  // namespace pbatch
