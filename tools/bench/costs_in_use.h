// The table of costs that a session here would choose kernels by.
#pragma once

#include <memory>
#include <string>

#include "cost/kernel_costs.h"
#include "pbatch/status.h"

namespace pbatch {

struct CostsInUse {
  std::shared_ptr<const KernelCosts> costs;
  std::string origin;  ///< as Session::kernel_costs() has it
};

/// Fails if PBATCH_ISA or PBATCH_KERNEL_COSTS names what cannot be taken.
Result<CostsInUse> costs_in_use();

}  // namespace pbatch
