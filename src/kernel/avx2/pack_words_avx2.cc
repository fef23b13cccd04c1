// kActivationWords on AVX2, by the compiler.
#include "kernel/pack_words.h"

namespace pbatch {

void pack_words_avx2_run(const int32_t* q, int64_t col_blocks, int activation_bits, uint8_t* out) {
  pack_words(q, col_blocks, activation_bits, out);
}

}  // namespace pbatch
