// Whether kernels fetch weights ahead of their loads, on this processor.
#pragma once

#include <cstdint>

#include "kernel/registry.h"

namespace pbatch {

/// BitKernelArgs::prefetch for `weights` weights of `n_planes` planes. AMD's processors find the
/// streams of a tile by themselves and are slower with what software fetches beside
/// (docs/kernels.md); bytes for 512-bit registers out of the third-level cache are the exception.
bool fetches_ahead(const BitKernel& kernel, int n_planes, std::int64_t weights);

}  // namespace pbatch
