// Which kernel multiplies: a pure function.
#pragma once

#include <cstdint>

#include "isa/isa.h"
#include "kernel/registry.h"

namespace pbatch {

struct GemmShape {
  std::int64_t rows = 0, cols = 0, batch = 1;
  int weight_bits = 4, activation_bits = 16;
};

/// The kernel for a shape on an ISA; never the reference.
const BitKernel& choose_kernel(const GemmShape& shape, Isa isa);

}  // namespace pbatch
