// A table of kernel costs as text: built-in ones and those that `pbatch bench --tune` leaves.
//
//   pbatch kernel costs, format 1
//   build 0.1.0 reference words_generic ...       who measured: build_identity()
//   isa avx512
//   cpu Intel(R) Xeon(R) Processor (6 207 2)
//   date 2026-11-24 10:00 UTC
//   memory 1 41.2                                 threads, picoseconds per byte
//   words_generic 1024x1024 8 1  88 91 - ...      matrix, activation bits, batch; for 1 to 8 weight
//                                                 bits the picoseconds for each weight and vector,
//                                                 '-' where not measured
// Blank lines, and lines that begin with '#', say nothing.
#pragma once

#include <string>
#include <string_view>

#include "cost/kernel_costs.h"
#include "pbatch/status.h"

namespace pbatch {

/// The lines before the first one of a kernel, whatever follows. Empty for a table of another
/// format.
Result<CostHeader> parse_cost_header(std::string_view text);

/// Trusts nothing: unknown kernels, matrices or batches, numbers that are none, are not finite or
/// not above zero, anything said twice, and a table without a kernel are errors (malformed) that
/// name the line.
Result<KernelCosts> parse_costs(std::string_view text);

/// What parse_costs reads again.
std::string print_costs(const KernelCosts& costs);

/// A longer text is refused before it is read.
inline constexpr std::size_t kMaxCostsBytes = 1 << 20;

}  // namespace pbatch
