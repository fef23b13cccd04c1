// The arithmetic of the words_<isa> kernels, for the register that an ISA's file defines before it
// includes this one: Lanes (kLanes x uint32_t, a GCC vector), Words (the same as uint16_t) and
//   Lanes multiply_pairs(Lanes a, Lanes b): in each lane, a.low * b.low + a.high * b.high of the
//   signed 16-bit halves.
//
// Planes become 16-bit words, which meet 16-bit activations: the work hardly depends on the number
// of planes, and 8 activation bits cost what 16 do.
//
// A lane holds one row. The planes of a block, one bit of every column in each, are transposed as
// bit matrices into fields of F = 1, 2, 4 or 8 bits that hold whole weights: register k has the
// columns k, F + k, 2 F + k ... of its rows. Masks and shifts then leave two weights in a lane,
// those of the columns c and c + 16.
#pragma once

#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

namespace pbatch {
namespace {

inline Lanes load_lanes(const uint8_t* from) {
  Lanes v;
  memcpy(&v, from, sizeof v);
  return v;
}

// Exchanges the bits of `low` whose number has `step` set with those of `high` that have it clear.
template <int step>
inline void exchange(Lanes& low, Lanes& high) {
  const uint32_t mask = step == 4 ? 0x0f0f0f0fu : step == 2 ? 0x33333333u : 0x55555555u;
  const Lanes change = ((low >> step) ^ high) & mask;
  high = high ^ change;
  low = low ^ (change << step);
}

// Bit r of field m of register k and bit k of field m of register r change places.
template <int kFieldBits, int step = kFieldBits / 2>
inline void transpose_fields(Lanes* registers) {
  if constexpr (step >= 1) {
    for (int r = 0; r < kFieldBits; ++r) {
      if ((r & step) == 0) exchange<step>(registers[r], registers[r + step]);
    }
    transpose_fields<kFieldBits, step / 2>(registers);
  }
}

// Field m of each 16-bit word.
template <int kFieldBits>
inline Lanes field(Lanes v, int m) {
  if (kFieldBits * (m + 1) == 16) return (Lanes)((Words)v >> (16 - kFieldBits));
  return (v >> (kFieldBits * m)) & (((1u << kFieldBits) - 1) * 0x00010001u);
}

// The weights of kLanes rows of a block, transposed.
template <int kPlanes>
inline void load_weights(const BitKernelArgs* args, int64_t offset, Lanes* registers) {
  constexpr int kFieldBits = field_bits(kPlanes);
  for (int r = 0; r < kFieldBits; ++r) {
    registers[r] = r < kPlanes ? load_lanes(args->planes[kPlanes - 1 - r] + offset) : Lanes{};
  }
  transpose_fields<kFieldBits>(registers);
}

// acc[r] += S * scale, S = 2 total - correction.
inline void add_run(Lanes total, int32_t correction, const uint8_t* scales, float* acc) {
  const Lanes sum = total + total - (uint32_t)correction;
  int32_t s[kLanes];
  memcpy(s, &sum, sizeof s);
  for (int r = 0; r < kLanes; ++r) {
    const float product = (float)s[r] * (float)scales[r];
    acc[r] = acc[r] + product;
  }
}

// One row block times kColumns columns; a half of a vector is a column of its own here, and `first`
// counts them through the batch.
template <int kPlanes, int kColumns>
void run_tile(const BitKernelArgs* args, int64_t row_block, int64_t first) {
  constexpr int kFieldBits = field_bits(kPlanes);
  const int halves = activation_halves(args->activation_bits);
  const int64_t runs = (args->col_blocks + args->run_blocks - 1) / args->run_blocks;
  const uint32_t* x[kColumns];
  for (int v = 0; v < kColumns; ++v) {
    const int64_t column = first + v;
    x[v] = (const uint32_t*)(args->activations + column / halves * args->activation_stride +
                             column % halves * args->col_blocks * kBlockBytes);
  }
  float sums[kColumns][kBlockRows];
  memset(sums, 0, sizeof sums);
  for (int64_t run = 0; run < runs; ++run) {
    const int64_t begin = run * args->run_blocks;
    const int64_t end =
        begin + args->run_blocks < args->col_blocks ? begin + args->run_blocks : args->col_blocks;
    const uint8_t* scales = args->scales + (row_block * runs + run) * kBlockRows;
    for (int lane = 0; lane < kBlockRows; lane += kLanes) {
      Lanes total[kColumns] = {};
      for (int64_t block = begin; block < end; ++block) {
        const int64_t offset = (row_block * args->col_blocks + block) * kBlockBytes + 4 * lane;
        Lanes weights[kFieldBits];
        load_weights<kPlanes>(args, offset, weights);
#pragma GCC unroll 8
        for (int k = 0; k < kFieldBits; ++k) {
#pragma GCC unroll 16
          for (int m = 0; m < 16 / kFieldBits; ++m) {
            const Lanes words = field<kFieldBits>(weights[k], m);
            const int64_t pair = block * 16 + kFieldBits * m + k;
#pragma GCC unroll 4
            for (int v = 0; v < kColumns; ++v) {
              total[v] += multiply_pairs(words, Lanes{} + x[v][pair]);
            }
          }
        }
      }
      for (int v = 0; v < kColumns; ++v) {
        const int32_t correction = ((1 << kPlanes) - 1) * args->run_sums[(first + v) * runs + run];
        add_run(total[v], correction, scales + lane, sums[v] + lane);
      }
    }
  }
  for (int v = 0; v < kColumns; ++v) {
    memcpy(args->acc + (first + v) * args->acc_stride + row_block * kBlockRows, sums[v],
           sizeof sums[v]);
  }
}

template <int kPlanes>
void run_row_blocks(const BitKernelArgs* args, int64_t row_block_begin, int64_t row_block_end) {
  const int64_t columns = args->batch * activation_halves(args->activation_bits);
  for (int64_t row_block = row_block_begin; row_block < row_block_end; ++row_block) {
    int64_t first = 0;
    for (; first + 4 <= columns; first += 4) run_tile<kPlanes, 4>(args, row_block, first);
    for (; first + 2 <= columns; first += 2) run_tile<kPlanes, 2>(args, row_block, first);
    if (first < columns) run_tile<kPlanes, 1>(args, row_block, first);
  }
}

void run_words(const BitKernelArgs* args, int64_t row_block_begin, int64_t row_block_end) {
  typedef void (*RunFn)(const BitKernelArgs*, int64_t, int64_t);
  static const RunFn kRun[8] = {run_row_blocks<1>, run_row_blocks<2>, run_row_blocks<3>,
                                run_row_blocks<4>, run_row_blocks<5>, run_row_blocks<6>,
                                run_row_blocks<7>, run_row_blocks<8>};
  kRun[args->n_planes - 1](args, row_block_begin, row_block_end);
}

}  // namespace
}  // namespace pbatch
