// kActivationPlanes in plain C: 8 x 8 bits are transposed in a 64-bit word.
#include <stdint.h>

#include "kernel/kernel.h"

namespace pbatch {
namespace {

// The eight bits at the same place of eight bytes change sides: bit b of byte k becomes bit k of
// byte b.
inline uint64_t transpose_8x8(uint64_t x) {
  uint64_t t = (x ^ (x >> 7)) & 0x00aa00aa00aa00aaULL;
  x ^= t ^ (t << 7);
  t = (x ^ (x >> 14)) & 0x0000cccc0000ccccULL;
  x ^= t ^ (t << 14);
  t = (x ^ (x >> 28)) & 0x00000000f0f0f0f0ULL;
  return x ^ t ^ (t << 28);
}

// Planes `shift` .. `shift` + 7 of 32 values.
void pack_eight_planes(const int32_t* values, int shift, uint32_t* words) {
  for (int j = 0; j < 8; ++j) words[j] = 0;
  for (int quarter = 0; quarter < 4; ++quarter) {
    uint64_t bytes = 0;
    for (int c = 0; c < 8; ++c) {
      const uint32_t value = (uint32_t)values[8 * quarter + c] >> shift;
      bytes |= (uint64_t)(value & 0xff) << (8 * c);
    }
    bytes = transpose_8x8(bytes);
    for (int j = 0; j < 8; ++j) {
      words[j] |= (uint32_t)((bytes >> (8 * j)) & 0xff) << (8 * quarter);
    }
  }
}

}  // namespace

void pack_planes_generic_run(const int32_t* q, int64_t col_blocks, int activation_bits,
                             uint8_t* out) {
  const int halves = activation_halves(activation_bits);
  const int planes = activation_bits == 8 ? 8 : 16;
  uint32_t* words = (uint32_t*)out;
  for (int64_t block = 0; block < col_blocks; ++block) {
    for (int half = 0; half < halves; ++half) {
      int32_t values[kBlockCols];
      for (int c = 0; c < kBlockCols; ++c) {
        const int32_t value = q[block * kBlockCols + c];
        const int32_t high = high_half(value);
        values[c] = halves == 1 ? value : half == 0 ? high : value - 32768 * high;
      }
      for (int shift = 0; shift < planes; shift += 8) {
        pack_eight_planes(values, shift, words);
        words += 8;
      }
    }
  }
}

}  // namespace pbatch
