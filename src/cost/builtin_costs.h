// The tables of kernel costs that are part of the program: src/cost/costs/<isa>.inc, and those of
// makers of processors, src/cost/maker_costs/<isa>_<maker>.inc.
#pragma once

#include <memory>
#include <string_view>

#include "cost/kernel_costs.h"
#include "isa/isa.h"

namespace pbatch {

/// The table of an ISA; an empty one if it has none. Parsed at the first call.
std::shared_ptr<const KernelCosts> builtin_costs(Isa isa);

/// Its text; empty if there is none.
std::string_view builtin_costs_text(Isa isa);

/// The table to choose kernels by on this processor: that of its maker, src/cost/maker_costs, if
/// there is one for the ISA, else builtin_costs(). Results do not depend on it.
std::shared_ptr<const KernelCosts> builtin_costs_here(Isa isa);

/// The text of a table in src/cost/maker_costs, of a maker as cpu_maker() names it; empty if there
/// is none.
std::string_view builtin_costs_text(Isa isa, std::string_view maker);

}  // namespace pbatch
