#include "kernel/epilogue_rows.h"

namespace pbatch {

void epilogue_avx2_run(const EpilogueArgs* args, int64_t row_begin, int64_t row_end, float* y) {
  run_epilogue(*args, row_begin, row_end, y);
}

}  // namespace pbatch
