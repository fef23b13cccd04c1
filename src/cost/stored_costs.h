// Where a session's table of kernel costs comes from.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cost/kernel_costs.h"
#include "pbatch/status.h"

namespace pbatch {

struct CostSource {
  std::shared_ptr<const KernelCosts> costs;
  std::string origin;  ///< "built-in", "tuned on 2026-11-24 10:00 UTC": what plans and benches show
  bool may_adapt = false;  ///< built-in, and nobody asked for that
};

/// The table for an ISA. `choice` is "builtin", the path of a table, or empty: then the environment
/// variable PBATCH_KERNEL_COSTS decides in the same way, and if that is unset or empty, the user's
/// cache folder, where `pbatch bench --tune` leaves its table. One in the cache folder that another
/// processor or another build made, or none, means the built-in one; one at a path is taken
/// whoever made it. A table of another ISA or a damaged one is an error, with its line.
Result<CostSource> load_kernel_costs(Isa isa, const std::string& choice);

/// Where load_kernel_costs(isa, "") looks for a table: the path in PBATCH_KERNEL_COSTS, else
/// kernel-costs-<isa>.txt in $XDG_CACHE_HOME/pbatch or ~/.cache/pbatch. not_found if no variable
/// tells. With "builtin" in PBATCH_KERNEL_COSTS: where it would look without.
Result<std::string> tuned_costs_path(Isa isa);

/// The table that this processor and this build left in the cache folder with store_adapted_costs;
/// none if there is none, it is another's, or damaged.
std::optional<CostSource> load_adapted_costs(Isa isa);

/// Leaves it there, whole or, if that cannot be, not at all.
void store_adapted_costs(Isa isa, const KernelCosts& costs);

/// "adapted on 2026-11-24 10:00 UTC"
std::string adapted_origin(const KernelCosts& costs);

/// Makes the folder of tuned_costs_path, private to the user, and checks that the file can be
/// written.
Status prepare_tuned_costs(const std::string& path);

/// Writes the table, whole or not at all.
Status store_kernel_costs(const std::string& path, const KernelCosts& costs);

}  // namespace pbatch
