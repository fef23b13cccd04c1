// kActivationShuffleTables in plain C.
#include <stdint.h>

#include "kernel/pack_digits.h"

namespace pbatch {
namespace {

inline uint8_t* store_tables(const uint8_t* digits, uint8_t* out) {
  for (int i = 0; i < 2; ++i) {
    for (int k = 0; k < 2; ++k, out += 64) {
      for (int b = 0; b < 2; ++b) {
        for (int bits = 0; bits < 16; ++bits) {
          int sum = kShuffleTableOffset;
          for (int j = 0; j < 4; ++j) {
            if ((bits >> j & 1) != 0) sum += (int8_t)digits[16 * i + 8 * b + 4 * k + j];
          }
          out[16 * b + bits] = (uint8_t)(sum & ((1 << kShuffleTableBits) - 1));
          out[32 + 16 * b + bits] = (uint8_t)(sum >> kShuffleTableBits);
        }
      }
    }
  }
  return out;
}

}  // namespace

void pack_shuffle_tables_generic_run(const int32_t* q, int64_t col_blocks, int activation_bits,
                                     uint8_t* out) {
  for (int64_t block = 0; block < col_blocks; ++block) {
    uint8_t digits[4 * kBlockCols + 32];
    pack_digits<1>(q + block * kBlockCols, 1, activation_bits, digits);
    for (int d = 0; d < activation_bits / 8; ++d) out = store_tables(digits + d * kBlockCols, out);
  }
}

}  // namespace pbatch
