#include "tools/bench/costs_in_use.h"

#include <utility>

#include "cost/find_costs.h"
#include "isa/isa.h"

namespace pbatch {

Result<CostsInUse> costs_in_use() {
  PBATCH_ASSIGN_OR_RETURN(const IsaChoice isa, select_isa());
  PBATCH_ASSIGN_OR_RETURN(CostSource source, find_kernel_costs(isa, ""));
  return CostsInUse{std::move(source.costs), std::move(source.origin)};
}

}  // namespace pbatch
