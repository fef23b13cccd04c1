// kActivationDigits and, with kCopies = 2, kActivationDoubledDigits from q, in plain C.
#pragma once

#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

namespace pbatch {
namespace {

// `digits` signed bytes of each number of a block, low digit first; every four columns kCopies
// times.
template <int kCopies>
inline uint8_t* store_digits(const int32_t* numbers, int digits, uint8_t* out) {
  int32_t rest[kBlockCols];
  memcpy(rest, numbers, sizeof rest);
  for (int d = 0; d < digits; ++d) {
    for (int c = 0; c < kBlockCols; ++c) {
      for (int copy = 0; copy < kCopies; ++copy) {
        out[c / 4 * 4 * kCopies + 4 * copy + c % 4] = (uint8_t)rest[c];
      }
      rest[c] = (rest[c] + 128) >> 8;
    }
    out += kBlockCols * kCopies;
  }
  return out;
}

template <int kCopies>
inline void pack_digits(const int32_t* q, int64_t col_blocks, int activation_bits, uint8_t* out) {
  for (int64_t block = 0; block < col_blocks; ++block) {
    const int32_t* from = q + block * kBlockCols;
    if (activation_bits != 32) {
      out = store_digits<kCopies>(from, activation_bits / 8, out);
      continue;
    }
    int32_t high[kBlockCols], low[kBlockCols];
    for (int c = 0; c < kBlockCols; ++c) {
      high[c] = high_half(from[c]);
      low[c] = from[c] - 32768 * high[c];
    }
    out = store_digits<kCopies>(high, 2, out);
    out = store_digits<kCopies>(low, 2, out);
  }
  const bool odd = col_blocks * activation_bits / 8 * kCopies % 2 != 0;
  if (odd) memset(out, 0, kBlockCols);
}

}  // namespace
}  // namespace pbatch
