// The tables of kernel costs that are part of the program: src/plan/costs/<isa>.inc.
#pragma once

#include <memory>
#include <string_view>

#include "isa/isa.h"
#include "plan/kernel_costs.h"

namespace pbatch {

/// The table of an ISA; an empty one if it has none. Parsed at the first call.
std::shared_ptr<const KernelCosts> builtin_costs(Isa isa);

/// Its text; empty if there is none.
std::string_view builtin_costs_text(Isa isa);

}  // namespace pbatch
