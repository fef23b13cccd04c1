// Rows of a table on the device, picked by numbers: of a matrix of bit-layers, made floats again,
// or of plain floats. To the CPU's bits (quantize/dequantize.h).
#pragma once

#include <stdint.h>

#include "accelerator/data_flags.h"
#include "accelerator/operation_args.h"
#include "cuda/product_args.h"
#include "layout/scheme.h"

namespace pbatch::cuda {

struct GatherArgs : GatherRowsArgs {
  ProductArgs table;  ///< planes, scales and shape of the table; planes null: it is `floats`
};

/// Element `col` of row `row` of a table of bit-layers.
PBATCH_HD inline float table_value(const ProductArgs& a, int64_t row, int64_t col) {
  const int64_t row_block = row / 16, slab = col / kSlabCols;
  const int in_block = static_cast<int>(row % 16);
  const ColumnPlace place = column_place(static_cast<int>(col % kSlabCols));
  const int lane = 4 * (in_block % 8) + place.t, word = 2 * place.j + in_block / 8;
  const uint32_t* from = a.planes + (row_block * a.slabs + slab) * kSlabWords + 4 * lane + word;
  uint32_t code = 0;
  for (int plane = 0; plane < a.weight_bits; ++plane) {
    code = 2 * code + (from[plane * a.plane_stride] >> place.bit & 1);
  }
  const int64_t run = col / 32 / a.run_blocks;
  const int scale = a.scales[scale_at(row_block, in_block, run, a.slabs, a.run_blocks)];
  return value_of_code(half_step_of(a.row_scale[row], scale, a.weight_bits),
                       static_cast<int32_t>(code), a.weight_bits);
}

/// Element `i` of the count * cols of y.
PBATCH_HD inline void gather_element(const GatherArgs& a, int64_t i) {
  const int64_t at = i / a.cols, col = i % a.cols;
  int64_t row = a.wide ? static_cast<const int64_t*>(a.indices)[at]
                       : static_cast<const int32_t*>(a.indices)[at];
  if (row < 0) row += a.rows;
  if (row < 0 || row >= a.rows) {
    *a.flag = kFlagBadIndex;
    return;
  }
  a.y[i] =
      a.table.planes != nullptr ? table_value(a.table, row, col) : a.floats[row * a.cols + col];
}

}  // namespace pbatch::cuda
