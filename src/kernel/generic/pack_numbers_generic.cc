// kActivationNumbers: a copy.
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

namespace pbatch {

void pack_numbers_generic_run(const int32_t* q, int64_t col_blocks, int activation_bits,
                              uint8_t* out) {
  memcpy(out, q, (size_t)packed_bytes(kActivationNumbers, col_blocks, activation_bits));
}

}  // namespace pbatch
