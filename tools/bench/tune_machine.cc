#include "tools/bench/tune_machine.h"

#include <utility>

#include "cost/stored_costs.h"

namespace pbatch {

Result<MachineTuner> MachineTuner::create() {
  MachineTuner tuner;
  PBATCH_ASSIGN_OR_RETURN(tuner.isa_, select_isa());
  PBATCH_ASSIGN_OR_RETURN(tuner.path_, tuned_costs_path(tuner.isa_.best));
  PBATCH_RETURN_IF_ERROR(prepare_tuned_costs(tuner.path_));
  Result<CostSource> source = load_kernel_costs(tuner.isa_.best, "");
  if (!source) source = load_kernel_costs(tuner.isa_.best, "builtin");
  PBATCH_RETURN_IF_ERROR(source.status());
  tuner.before_ = std::move(source->costs);
  tuner.origin_before_ = std::move(source->origin);
  return tuner;
}

Result<MachineTuner::Tuned> MachineTuner::tune(const TuneOptions& options, const std::string& date,
                                               Progress& progress) const {
  PBATCH_ASSIGN_OR_RETURN(KernelCosts costs, tune_kernels(isa_, options, date, progress));
  PBATCH_RETURN_IF_ERROR(store_kernel_costs(path_, costs));
  std::vector<ChangedChoice> changes = changed_choices(isa_, *before_, costs);
  return Tuned{std::move(costs), std::move(changes)};
}

}  // namespace pbatch
