// The words kernel on eight rows at a time.
#include <immintrin.h>
#include <stdint.h>

#include "kernel/kernel.h"

namespace pbatch {
namespace {

const int kLanes = 8;
typedef uint32_t Lanes __attribute__((vector_size(4 * kLanes)));
typedef uint16_t Words __attribute__((vector_size(4 * kLanes)));

inline Lanes multiply_pairs(Lanes a, Lanes b) {
  return (Lanes)_mm256_madd_epi16((__m256i)a, (__m256i)b);
}

}  // namespace
}  // namespace pbatch

#include "kernel/words.h"

namespace pbatch {

void words_avx2_run(const BitKernelArgs* args, int64_t row_block_begin, int64_t row_block_end) {
  run_words(args, row_block_begin, row_block_end);
}

}  // namespace pbatch
