// The bytes kernel with SDOT.
#include "kernel/neon/bytes.h"
#include "kernel/neon_dot/dot.h"

namespace pbatch {

void bytes_neon_dot_run(const BitKernelArgs* args, int64_t row_block_begin, int64_t row_block_end) {
  run_bytes<Products>(args, row_block_begin, row_block_end);
}

}  // namespace pbatch
