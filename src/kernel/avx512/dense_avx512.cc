// Dense fields: with 3, 5, 6 or 7 planes the bits of a byte that fields would leave empty hold the
// last columns (kLayoutDense), which a shift and a ternary operation for each piece put together.
#include "kernel/avx512/joined512.h"

namespace pbatch {

// Of all other widths, where dense fields are fields.
void fields_avx512_run(const BitKernelArgs* args, int64_t row_block_begin, int64_t row_block_end);

void dense_avx512_run(const BitKernelArgs* args, int64_t row_block_begin, int64_t row_block_end) {
  if (row_block_begin >= row_block_end) return;
  switch (dense_field_bits(args->n_planes, args->row_blocks)) {
    case 3:
      return run_field_width<3>(args, row_block_begin, row_block_end);
    case 5:
      return run_field_width<5>(args, row_block_begin, row_block_end);
    case 6:
      return run_field_width<6>(args, row_block_begin, row_block_end);
    case 7:
      return run_field_width<7>(args, row_block_begin, row_block_end);
    default:
      return fields_avx512_run(args, row_block_begin, row_block_end);
  }
}

}  // namespace pbatch
