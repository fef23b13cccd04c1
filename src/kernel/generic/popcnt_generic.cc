// The AND+popcount kernel in portable C: the precision batch of Lam et al. 2020. Each bit-layer of
// the weights meets each bit-plane of the activations; a weight word is loaded once for all of
// them. The top plane of a half counts negative (two's complement).
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

namespace pbatch {
namespace {

enum { kLanes = 4, kVectors = kBlockRows / kLanes };
typedef uint32_t Lanes __attribute__((vector_size(4 * kLanes)));  // four rows

struct Rows {
  Lanes v[kVectors];  // sixteen
};

inline int planes_per_half(int activation_bits) { return activation_bits == 8 ? 8 : 16; }

// Number of ones in each byte.
inline Lanes byte_counts(Lanes v) {
  v = v - ((v >> 1) & 0x55555555u);
  v = (v & 0x33333333u) + ((v >> 2) & 0x33333333u);
  return (v + (v >> 4)) & 0x0f0f0f0fu;
}

inline Lanes sum_of_bytes(Lanes v) {
  v = (v & 0x00ff00ffu) + ((v >> 8) & 0x00ff00ffu);
  return (v + (v >> 16)) & 0x0000ffffu;
}

// sum over columns of w * x for one plane word w of each row and one vector's bit-planes x, plus
// kTopOffset * 2^(planes - 4): the top plane enters as 8 minus its count, which keeps bytes
// positive.
enum { kTopOffset = 4 * 64 };
inline Lanes weigh_plane(Lanes w, const uint32_t* x, int planes) {
  Lanes sum = {0, 0, 0, 0};
  for (int top = planes - 1; top > 0; top -= 4) {
    // Four planes at a time, so that a byte counts to at most 8 * 15.
    Lanes bytes = byte_counts(w & x[top]);
    if (top == planes - 1) bytes = 0x08080808u - bytes;
    for (int j = 1; j < 4; ++j) bytes = bytes + bytes + byte_counts(w & x[top - j]);
    sum = (sum << 4) + sum_of_bytes(bytes);
  }
  return sum;
}

inline Rows load_rows(const uint8_t* block) {
  Rows rows;
  memcpy(&rows, block, sizeof rows);
  return rows;
}

// Sum of u * x over one run of `blocks` blocks, modulo 2^32.
inline Rows run_products(const BitKernelArgs* args, int64_t first_block, int64_t blocks,
                         const uint32_t* x, int64_t x_stride, int planes) {
  Rows total;
  memset(&total, 0, sizeof total);
  for (int64_t b = 0; b < blocks; ++b) {
    Rows sum;
    memset(&sum, 0, sizeof sum);
    for (int i = 0; i < args->n_planes; ++i) {
      const Rows w = load_rows(args->planes[i] + (first_block + b) * kBlockBytes);
      for (int v = 0; v < kVectors; ++v) {
        sum.v[v] = sum.v[v] + sum.v[v] + weigh_plane(w.v[v], x + b * x_stride, planes);
      }
    }
    for (int v = 0; v < kVectors; ++v) total.v[v] += sum.v[v];
  }
  return total;
}

// acc[r] += S * scale for the rows of a block, S = 2 (total - offset) - correction.
inline void add_run(const Rows& total, uint32_t offset, uint32_t correction, const uint8_t* scales,
                    float* acc) {
  uint32_t products[kBlockRows];
  memcpy(products, &total, sizeof products);
  for (int r = 0; r < kBlockRows; ++r) {
    const int32_t s = (int32_t)(2 * (products[r] - offset) - correction);
    const float product = (float)s * (float)scales[r];
    acc[r] = acc[r] + product;
  }
}

void run_row_block(const BitKernelArgs* args, int64_t row_block, const uint8_t* vector,
                   const int32_t* run_sums, int half, float* acc) {
  const int planes = planes_per_half(args->activation_bits);
  const int64_t x_stride = (int64_t)planes * activation_halves(args->activation_bits);
  const uint32_t* x = (const uint32_t*)vector + half * planes;
  const uint32_t top = (1u << args->n_planes) - 1;
  const int64_t runs = (args->col_blocks + args->run_blocks - 1) / args->run_blocks;
  float sums[kBlockRows] = {0};
  for (int64_t run = 0; run < runs; ++run) {
    const int64_t begin = run * args->run_blocks;
    const int64_t left = args->col_blocks - begin;
    const int64_t blocks = left < args->run_blocks ? left : args->run_blocks;
    const Rows total = run_products(args, row_block * args->col_blocks + begin, blocks,
                                    x + begin * x_stride, x_stride, planes);
    const uint32_t offset = (uint32_t)blocks * top * ((uint32_t)kTopOffset << (planes - 4));
    add_run(total, offset, top * (uint32_t)run_sums[run],
            args->scales + (row_block * runs + run) * kBlockRows, sums);
  }
  memcpy(acc + row_block * kBlockRows, sums, sizeof sums);
}

}  // namespace

void popcnt_generic_run(const BitKernelArgs* args, int64_t row_block_begin, int64_t row_block_end) {
  const int halves = activation_halves(args->activation_bits);
  const int64_t runs = (args->col_blocks + args->run_blocks - 1) / args->run_blocks;
  for (int64_t row_block = row_block_begin; row_block < row_block_end; ++row_block) {
    for (int64_t vector = 0; vector < args->batch; ++vector) {
      for (int half = 0; half < halves; ++half) {
        const int64_t index = vector * halves + half;
        run_row_block(args, row_block, args->activations + vector * args->activation_stride,
                      args->run_sums + index * runs, half, args->acc + index * args->acc_stride);
      }
    }
  }
}

}  // namespace pbatch
