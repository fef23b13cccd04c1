// From the stored bit order of planes to the one a kernel reads.
#pragma once

#include <cstdint>

#include "kernel/kernel.h"

namespace pbatch {

/// Rewrites `blocks` blocks of one plane, from the canonical layout (kLayoutNibbles) to `to`, not
/// kLayoutFields; the size stays. `in` and `out` must not overlap.
void repack_plane(const std::uint8_t* in, std::int64_t blocks, PlaneLayout to, std::uint8_t* out);

/// Bytes of `n_planes` planes in kLayoutFields.
std::int64_t fields_bytes(std::int64_t row_blocks, std::int64_t col_blocks, int n_planes);

/// Writes the planes of a digit, canonical, most significant first, in kLayoutFields.
void repack_fields(const std::uint8_t* const planes[], int n_planes, std::int64_t row_blocks,
                   std::int64_t col_blocks, std::uint8_t* out);

}  // namespace pbatch
