// Measuring what the kernels cost on this machine.
#pragma once

#include <string>
#include <vector>

#include "cost/gemm_shape.h"
#include "cost/kernel_costs.h"
#include "isa/isa.h"
#include "pbatch/status.h"
#include "tools/bench/progress.h"

namespace pbatch {

struct TuneOptions {
  /// Timed work for each kernel and product, about. 0: a single call, too rough to keep.
  double seconds = 0.02;
  std::vector<std::size_t> matrices = {2, 0, 1, 3};  ///< of kCostMatrices, in this order
  long long bandwidth_bytes = 0;                     ///< 0: what no cache holds
};

/// Costs of all kernels that this machine runs up to `isa`, with one thread. All answers are
/// compared before anything is timed: with a naive product in double precision, and bit by bit with
/// each other at every batch. Kernels far behind the best at a precision, on the first matrix, are
/// not measured further there, and those that nowhere come near it are left out of the table.
Result<KernelCosts> tune_kernels(IsaChoice isa, const TuneOptions& options, const std::string& date,
                                 Progress& progress);

/// A choice that two tables make differently.
struct ChangedChoice {
  GemmShape shape;    ///< weight_bits: the first of a run of widths
  int last_bits = 0;  ///< the last of them
  std::string before, after;
  double gain = 1;  ///< time of `before` over that of `after`, by the new table; the run's least
};

/// Over the shapes that benchmarks use: batches 1 to 64, in caches and from memory.
std::vector<ChangedChoice> changed_choices(IsaChoice isa, const KernelCosts& before,
                                           const KernelCosts& after);

}  // namespace pbatch
