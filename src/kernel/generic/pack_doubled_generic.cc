// kActivationDoubledDigits in plain C.
#include "kernel/pack_digits.h"

namespace pbatch {

void pack_doubled_generic_run(const int32_t* q, int64_t col_blocks, int activation_bits,
                              uint8_t* out) {
  pack_digits<2>(q, col_blocks, activation_bits, out);
}

}  // namespace pbatch
