// How fast this machine reads its memory.
#pragma once

#include "pbatch/status.h"

namespace pbatch {

/// Bytes that do not fit into any cache.
inline constexpr long long kBandwidthBytes = 512 << 20;

/// Picoseconds per byte when `threads` threads together read a block of `bytes` once through; the
/// best of `rounds`.
Result<double> read_ps_per_byte(int threads, int rounds, long long bytes = kBandwidthBytes);

}  // namespace pbatch
