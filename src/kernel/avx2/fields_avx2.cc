// Fields on AVX2 without VNNI: whole weights (kLayoutFields) of up to 7 planes as byte_fields.h has
// it, of 8 as word_fields.h has it.
#include "kernel/avx2/byte_fields.h"
#include "kernel/avx2/word_fields.h"

namespace pbatch {

void fields_avx2_run(const BitKernelArgs* args, int64_t row_block_begin, int64_t row_block_end) {
  if (row_block_begin >= row_block_end) return;
  switch (field_bits(args->n_planes, args->row_blocks)) {
    case 1:
      return run_field_width<Bytes<8>, 1>(args, row_block_begin, row_block_end);
    case 2:
      return run_field_width<Bytes<8>, 2>(args, row_block_begin, row_block_end);
    case 4:
      return run_field_width<Bytes<8>, 4>(args, row_block_begin, row_block_end);
  }
  switch (args->n_planes) {
    case 8:
      return run_field_width<Words, 8>(args, row_block_begin, row_block_end);
    case 7:
      return run_field_width<Bytes<1>, 8>(args, row_block_begin, row_block_end);
    case 6:
      return run_field_width<Bytes<2>, 8>(args, row_block_begin, row_block_end);
    case 5:
      return run_field_width<Bytes<4>, 8>(args, row_block_begin, row_block_end);
    default:
      return run_field_width<Bytes<8>, 8>(args, row_block_begin, row_block_end);
  }
}

}  // namespace pbatch
