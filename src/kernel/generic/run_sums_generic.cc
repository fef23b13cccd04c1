// Sums of packed digits on any CPU.
#include <stdint.h>

#include "kernel/kernel.h"

namespace pbatch {
namespace {

// Of one digit of one half over column blocks begin .. end - 1.
inline int32_t sum_digits(const uint8_t* digits, int64_t stride, int64_t begin, int64_t end) {
  int32_t sum = 0;
  for (int64_t block = begin; block < end; ++block) {
    const uint8_t* const from = digits + block * stride;
    for (int i = 0; i < kBlockCols; ++i) sum += (int8_t)from[i];
  }
  return sum;
}

}  // namespace

void run_sums_generic_run(const uint8_t* packed, int64_t col_blocks, int run_blocks,
                          int activation_bits, int32_t* run_sums) {
  const int halves = activation_halves(activation_bits);
  const int digits = activation_bits / 8 / halves;
  const int64_t stride = activation_bits / 8 * kBlockCols;
  for (int half = 0; half < halves; ++half) {
    const uint8_t* const low = packed + half * digits * kBlockCols;
    for (int64_t begin = 0; begin < col_blocks; begin += run_blocks) {
      const int64_t left = col_blocks - begin;
      const int64_t end = begin + (left < run_blocks ? left : run_blocks);
      int32_t sum = sum_digits(low, stride, begin, end);
      if (digits == 2) sum += 256 * sum_digits(low + kBlockCols, stride, begin, end);
      *run_sums++ = sum;
    }
  }
}

}  // namespace pbatch
