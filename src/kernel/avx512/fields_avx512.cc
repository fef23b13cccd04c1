// Fields: weights that were repacked into fields of 1, 2, 4 or 8 bits (kLayoutFields) go from
// memory into VPDPBUSD, with nothing to interleave or to transpose.
#include "kernel/avx512/joined512.h"

namespace pbatch {

void fields_avx512_run(const BitKernelArgs* args, int64_t row_block_begin, int64_t row_block_end) {
  if (row_block_begin >= row_block_end) return;
  switch (field_bits(args->n_planes, args->row_blocks)) {
    case 1:
      return run_field_width<1>(args, row_block_begin, row_block_end);
    case 2:
      return run_field_width<2>(args, row_block_begin, row_block_end);
    case 4:
      return run_field_width<4>(args, row_block_begin, row_block_end);
    default:
      return run_field_width<8>(args, row_block_begin, row_block_end);
  }
}

}  // namespace pbatch
