// The bytes kernel for every aarch64 processor.
#include "kernel/neon/bytes.h"
#include "kernel/neon/multiply.h"

namespace pbatch {

void bytes_neon_run(const BitKernelArgs* args, int64_t row_block_begin, int64_t row_block_end) {
  run_bytes<Products>(args, row_block_begin, row_block_end);
}

}  // namespace pbatch
