// From the stored bit order of a plane to the one a kernel reads.
#pragma once

#include <cstdint>

#include "kernel/kernel.h"

namespace pbatch {

/// Rewrites `blocks` blocks of one plane, from the canonical layout (kLayoutNibbles) to `to`, not
/// one that joins planes; the size stays. `in` and `out` must not overlap.
void repack_plane(const std::uint8_t* in, std::int64_t blocks, PlaneLayout to, std::uint8_t* out);

}  // namespace pbatch
