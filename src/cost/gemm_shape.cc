#include "cost/gemm_shape.h"

#include <algorithm>

#include "kernel/joined_planes.h"
#include "layout/layout.h"

namespace pbatch {

std::int64_t weight_bytes_read(PlaneLayout layout, const GemmShape& shape) {
  if (!joins_planes(layout)) return shape.weight_bits * plane_bytes(shape.rows, shape.cols);
  std::int64_t bytes = 0;
  for (int left = shape.weight_bits; left > 0; left -= 8) {
    bytes +=
        joined_bytes(layout, row_blocks(shape.rows), col_blocks(shape.cols), std::min(left, 8));
  }
  return bytes;
}

}  // namespace pbatch
