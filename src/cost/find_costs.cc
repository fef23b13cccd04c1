#include "cost/find_costs.h"

#include <map>
#include <mutex>
#include <optional>

#include "base/fork.h"
#include "base/utc_now.h"
#include "cost/measure_speeds.h"
#include "isa/cpu.h"

namespace pbatch {
namespace {

CostSource adapt(IsaChoice isa, CostSource source) {
  const std::optional<MachineSpeeds> speeds = measure_speeds(*source.costs, isa);
  if (!speeds) {
    source.origin += " (this machine was too busy or too slow to be measured)";
    return source;
  }
  KernelCosts costs = scale_costs(*source.costs, *speeds);
  costs.header = {build_identity(), isa_name(isa.best), cpu_identity(), utc_now()};
  store_adapted_costs(isa.best, costs);
  source.origin = adapted_origin(costs);
  source.costs = std::make_shared<const KernelCosts>(std::move(costs));
  return source;
}

}  // namespace

Result<CostSource> find_kernel_costs(IsaChoice isa, const std::string& choice) {
  PBATCH_ASSIGN_OR_RETURN(CostSource source, load_kernel_costs(isa.best, choice));
  if (!source.may_adapt) return source;
  // Under fork_mutex(), so that a child finds it unlocked.
  static std::map<Isa, CostSource> measured;
  {
    const std::lock_guard lock(fork_mutex());
    const auto found = measured.find(isa.best);
    if (found != measured.end()) return found->second;
  }
  if (std::optional<CostSource> adapted = load_adapted_costs(isa.best)) return *adapted;
  source = adapt(isa, std::move(source));
  const std::lock_guard lock(fork_mutex());
  return measured.emplace(isa.best, std::move(source)).first->second;
}

}  // namespace pbatch
