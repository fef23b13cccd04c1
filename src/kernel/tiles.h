// What blocked products for batches share. All in an unnamed namespace: see docs/kernels.md.
#pragma once

#include <stdint.h>

namespace pbatch {
namespace {

inline int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }

// Columns of the next tile: tiles as full as possible, and the last two of one size.
inline int64_t next_tile(int64_t columns_left, int64_t most) {
  if (columns_left <= most) return columns_left;
  return columns_left >= 2 * most ? most : (columns_left + 1) / 2;
}

}  // namespace
}  // namespace pbatch
