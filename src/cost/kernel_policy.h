// What decides the kernel besides the shape and the bits: the same for all layers of a session.
#pragma once

#include <cstdint>
#include <memory>

#include "cost/kernel_costs.h"
#include "isa/isa.h"

namespace pbatch {

struct KernelPolicy {
  IsaChoice isa;
  std::shared_ptr<const KernelCosts> costs;
  int threads = 1;
  std::int64_t network_plane_bytes = 0;  ///< GemmShape::network_plane_bytes
};

}  // namespace pbatch
