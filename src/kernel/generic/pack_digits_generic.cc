// kActivationDigits in plain C. Quantizers write this layout themselves; this is for numbers that
// come from elsewhere.
#include "kernel/pack_digits.h"

namespace pbatch {

void pack_digits_generic_run(const int32_t* q, int64_t col_blocks, int activation_bits,
                             uint8_t* out) {
  pack_digits<1>(q, col_blocks, activation_bits, out);
}

}  // namespace pbatch
