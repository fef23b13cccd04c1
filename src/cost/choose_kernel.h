// Which kernel multiplies: a pure function.
#pragma once

#include "cost/gemm_shape.h"
#include "cost/kernel_costs.h"
#include "isa/isa.h"
#include "kernel/registry.h"

namespace pbatch {

/// The kernel for a shape: of those whose features `isa` includes, whatever `costs` names, and that
/// `costs` knows the fastest, by product_time.h. One that reads the planes as they are stored wins
/// over one that needs a repacked copy of them unless the copy makes it faster by more than
/// kCopyMustSave. Where nothing is known, the last kernel in kernels.inc of the best ISA that `isa`
/// runs. Never the reference.
const BitKernel& choose_kernel(const GemmShape& shape, IsaChoice isa, const KernelCosts& costs);

/// A copy takes memory and time when the model is prepared, and measurements are no better.
inline constexpr double kCopyMustSave = 0.03;

}  // namespace pbatch
