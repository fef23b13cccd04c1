// kActivationWords from q, for the vectorizer of the ISA that includes it.
#pragma once

#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

namespace pbatch {
namespace {

// The columns c and c + 16 share a lane; of each, 16 bits are kept.
inline uint32_t pair_of(int32_t first, int32_t second) {
  return ((uint32_t)first & 0xffffu) | ((uint32_t)second << 16);
}

inline void pack_words(const int32_t* q, int64_t col_blocks, int activation_bits, uint8_t* out) {
  const bool two_halves = activation_halves(activation_bits) == 2;
  uint8_t* low_out = two_halves ? out + col_blocks * kBlockBytes : out;
  for (int64_t block = 0; block < col_blocks; ++block) {
    const int32_t* from = q + block * kBlockCols;
    uint32_t low[16], high[16];
    for (int c = 0; c < 16; ++c) {
      const int32_t first = two_halves ? high_half(from[c]) : 0;
      const int32_t second = two_halves ? high_half(from[c + 16]) : 0;
      high[c] = pair_of(first, second);
      low[c] = pair_of(from[c] - 32768 * first, from[c + 16] - 32768 * second);
    }
    if (two_halves) memcpy(out + block * kBlockBytes, high, sizeof high);
    memcpy(low_out + block * kBlockBytes, low, sizeof low);
  }
}

}  // namespace
}  // namespace pbatch
