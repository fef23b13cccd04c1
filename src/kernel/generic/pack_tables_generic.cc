// kActivationTables in plain C.
#include <stdint.h>

#include "kernel/kernel.h"

namespace pbatch {
namespace {

// The lower or upper tables of one half of a block's 32 numbers.
inline void store_tables(const int32_t* numbers, int upper, int bytes, uint8_t* out) {
  for (int b = 0; b < 4; ++b) {
    for (int bits = 0; bits < 16; ++bits) {
      int32_t sum = 0;
      for (int j = 0; j < 4; ++j) {
        const int32_t number = numbers[8 * b + 4 * upper + j];
        sum += (bits >> j & 1) != 0 ? number : -number;
      }
      for (int i = 0; i < bytes; ++i) out[64 * i + 16 * b + bits] = (uint8_t)(sum >> (8 * i));
    }
  }
}

}  // namespace

void pack_tables_generic_run(const int32_t* q, int64_t col_blocks, int activation_bits,
                             uint8_t* out) {
  const int bytes = table_bytes(activation_bits);
  for (int64_t block = 0; block < col_blocks; ++block) {
    const int32_t* from = q + block * kBlockCols;
    for (int upper = 0; upper < 2; ++upper) {
      if (activation_bits != 32) {
        store_tables(from, upper, bytes, out);
        out += 64 * bytes;
        continue;
      }
      int32_t high[kBlockCols], low[kBlockCols];
      for (int c = 0; c < kBlockCols; ++c) {
        high[c] = high_half(from[c]);
        low[c] = from[c] - 32768 * high[c];
      }
      store_tables(high, upper, bytes, out);
      store_tables(low, upper, bytes, out + 64 * bytes);
      out += 2 * 64 * bytes;
    }
  }
}

}  // namespace pbatch
