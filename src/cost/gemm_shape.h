// A product of bit-layers as the choice of its kernel sees it.
#pragma once

#include <cstdint>

#include "kernel/kernel.h"

namespace pbatch {

struct GemmShape {
  std::int64_t rows = 0, cols = 0, batch = 1;
  int weight_bits = 4, activation_bits = 16;
  int threads = 1;
  /// Bytes of one plane of all matrices that take turns with this one: what has passed through the
  /// caches before its weights are read again. 0: this matrix alone.
  std::int64_t network_plane_bytes = 0;
};

/// Bytes that a kernel reading `layout` reads of a matrix's weights, without scales.
std::int64_t weight_bytes_read(PlaneLayout layout, const GemmShape& shape);

}  // namespace pbatch
