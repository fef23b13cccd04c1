// Dense fields: with 3, 5, 6 or 7 planes the bits of a byte that fields would leave empty hold the
// last columns (kLayoutDense), which a shift and a ternary operation for each piece put together.
#include "kernel/avx512/joined512.h"

namespace pbatch {

void dense_avx512_run(const BitKernelArgs* args, int64_t row_block_begin, int64_t row_block_end) {
  if (row_block_begin >= row_block_end) return;
  switch (dense_field_bits(args->n_planes, args->row_blocks)) {
    case 1:
      return run_field_width<1>(args, row_block_begin, row_block_end);
    case 2:
      return run_field_width<2>(args, row_block_begin, row_block_end);
    case 3:
      return run_field_width<3>(args, row_block_begin, row_block_end);
    case 4:
      return run_field_width<4>(args, row_block_begin, row_block_end);
    case 5:
      return run_field_width<5>(args, row_block_begin, row_block_end);
    case 6:
      return run_field_width<6>(args, row_block_begin, row_block_end);
    case 7:
      return run_field_width<7>(args, row_block_begin, row_block_end);
    default:
      return run_field_width<8>(args, row_block_begin, row_block_end);
  }
}

}  // namespace pbatch
