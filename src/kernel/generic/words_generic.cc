// The words kernel on four rows at a time, with what every processor of the architecture has: SSE2
// on x86-64, NEON on aarch64, plain integers elsewhere.
#include <stdint.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "kernel/kernel.h"

namespace pbatch {
namespace {

const int kLanes = 4;
typedef uint32_t Lanes __attribute__((vector_size(4 * kLanes)));
typedef uint16_t Words __attribute__((vector_size(4 * kLanes)));

inline Lanes multiply_pairs(Lanes a, Lanes b) {
#if defined(__SSE2__)
  return (Lanes)_mm_madd_epi16((__m128i)a, (__m128i)b);
#else
  typedef int32_t Signed __attribute__((vector_size(4 * kLanes)));
  const Signed low = ((Signed)(a << 16) >> 16) * ((Signed)(b << 16) >> 16);
  return (Lanes)(low + ((Signed)a >> 16) * ((Signed)b >> 16));
#endif
}

}  // namespace
}  // namespace pbatch

#include "kernel/words.h"

namespace pbatch {

void words_generic_run(const BitKernelArgs* args, int64_t row_block_begin, int64_t row_block_end) {
  run_words(args, row_block_begin, row_block_end);
}

}  // namespace pbatch
