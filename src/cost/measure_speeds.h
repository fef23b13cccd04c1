// How fast this machine is beside the one that a table of costs comes from.
#pragma once

#include <optional>
#include <vector>

#include "cost/kernel_costs.h"
#include "isa/isa.h"

namespace pbatch {

/// Measured over tabled times; a smaller one is faster.
struct MachineSpeeds {
  std::vector<double> kernels;  ///< [all_kernels()]; 1 for those that `costs` does not know
  double memory = 1;            ///< of reading from memory
};

/// Times the kernels that `costs` knows and `isa` runs on one thread: products of 1024 x 1024 at 2,
/// 4 and 8 weight bits, 8 activation bits and 1 and 16 vectors, in turns, for about 60 ms; then one
/// pass over memory. None if two halves of the measurements disagree, as on a machine that is busy,
/// if there was not time for both, or no memory.
std::optional<MachineSpeeds> measure_speeds(const KernelCosts& costs, IsaChoice isa);

/// The table with every cost multiplied by its kernel's speed, and memory's.
KernelCosts scale_costs(const KernelCosts& costs, const MachineSpeeds& speeds);

}  // namespace pbatch
