// The slow, obvious kernel: finds every bit by layout/layout.h and adds the products one by one.
// Every other kernel is compared with it, and nothing ever chooses it.
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"
#include "layout/scheme.h"

namespace pbatch {
namespace {

// The number that the planes spell at (row, col) of a block.
int weight_code(const BitKernelArgs* args, int64_t row_block, int64_t col_block, int row, int col) {
  const int64_t offset =
      (row_block * args->col_blocks + col_block) * kBlockBytes + block_byte(row, col);
  int u = 0;
  for (int plane = 0; plane < args->n_planes; ++plane) {
    u = 2 * u + ((args->planes[plane][offset] >> block_bit(row, col)) & 1);
  }
  return u;
}

int32_t half_of(int32_t q, int half, int activation_bits) {
  if (activation_bits != 32) return q;
  const int32_t hi = high_half(q);
  return half == 0 ? hi : q - 32768 * hi;
}

float row_accumulator(const BitKernelArgs* args, const int32_t* q, int half, int64_t row_block,
                      int row) {
  const int64_t runs = (args->col_blocks + args->run_blocks - 1) / args->run_blocks;
  float acc = 0.0f;
  for (int64_t run = 0; run < runs; ++run) {
    int64_t sum = 0;
    for (int b = 0; b < args->run_blocks; ++b) {
      const int64_t col_block = run * args->run_blocks + b;
      if (col_block >= args->col_blocks) break;
      for (int col = 0; col < kBlockCols; ++col) {
        const int32_t x = half_of(q[col_block * kBlockCols + col], half, args->activation_bits);
        const int u = weight_code(args, row_block, col_block, row, col);
        sum += static_cast<int64_t>(level_of_code(u, args->n_planes)) * x;
      }
    }
    const float scale = args->scales[(row_block * runs + run) * kBlockRows + row];
    const float product = static_cast<float>(sum) * scale;
    acc = acc + product;
  }
  return acc;
}

}  // namespace

void reference_run(const BitKernelArgs* args, int64_t row_block_begin, int64_t row_block_end) {
  const int halves = activation_halves(args->activation_bits);
  for (int64_t vector = 0; vector < args->batch; ++vector) {
    const int32_t* q =
        reinterpret_cast<const int32_t*>(args->activations + vector * args->activation_stride);
    for (int half = 0; half < halves; ++half) {
      float* acc = args->acc + (vector * halves + half) * args->acc_stride;
      for (int64_t row_block = row_block_begin; row_block < row_block_end; ++row_block) {
        for (int row = 0; row < kBlockRows; ++row) {
          acc[row_block * kBlockRows + row] = row_accumulator(args, q, half, row_block, row);
        }
      }
    }
  }
}

}  // namespace pbatch
