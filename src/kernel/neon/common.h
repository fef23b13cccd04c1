// What the kernels of the ISAs neon and neon_dot that multiply bytes share: columns of activations
// (kActivationDigits), and how the sums of a run become floats.
//
// How products are summed is the ISA's: a class Products with
//   kSums              sums that fit the registers
//   kBatchDigits       digits of columns that a tile of a batch takes
//   kSameForLarge      whether small weights are summed in the same way as large ones
//   Sum<kLargest, NX, kBlockProducts>  sums of four rows over a run, for weights |w| <= kLargest,
//                      activations of NX digits and kBlockProducts calls of multiply in a block:
//     clear()
//     multiply<v>(w, x)  adds the products of four bytes of each row with the bytes 4 v .. 4 v + 3
//                        of x[0], x[1]; v ascends from 0 to 7 in every block
//     total()
#pragma once

#include <arm_neon.h>
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

namespace pbatch {
namespace {

const int kQuads = kBlockRows / 4;  // of rows in a block; a register holds one

constexpr int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }

// A half of a vector is a column of its own; columns are counted through the batch.
struct Column {
  const int8_t* x;
  int64_t block_bytes;  // from a column block of x to the next
  const int32_t* run_sums;
  float* acc;
};

inline Column column_at(const BitKernelArgs* args, int64_t runs, int64_t index) {
  const int halves = activation_halves(args->activation_bits);
  const uint8_t* x = args->activations + index / halves * args->activation_stride +
                     index % halves * 2 * kBlockCols;
  return {(const int8_t*)x, args->activation_bits / 8 * kBlockCols, args->run_sums + index * runs,
          args->acc + index * args->acc_stride};
}

template <int NX>
inline void load_digits(const Column& column, int64_t block, int8x16_t (*x)[2]) {
  const int8_t* from = column.x + block * column.block_bytes;
#pragma GCC unroll 2
  for (int d = 0; d < NX; ++d) {
    x[d][0] = vld1q_s8(from + d * kBlockCols);
    x[d][1] = vld1q_s8(from + d * kBlockCols + 16);
  }
}

// Of four rows, as floats.
inline float32x4_t load_scales(const uint8_t* from) {
  uint32_t four;
  memcpy(&four, from, sizeof four);
  const uint16x8_t wide = vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(four)));
  return vcvtq_f32_u32(vmovl_u16(vget_low_u16(wide)));
}

// acc + S * scale
inline float32x4_t add_run(float32x4_t acc, int32x4_t s, float32x4_t scale) {
  const float32x4_t product = vmulq_f32(vcvtq_f32_s32(s), scale);
  return vaddq_f32(acc, product);
}

// S - 2 sum(w q) over a run of sum(q) = run_sum. Weights are w = u, but u - 128 with 8 planes, so
// that they are signed bytes.
inline int32x4_t correction(int n_planes, int32_t run_sum) {
  return vdupq_n_s32(n_planes == 8 ? run_sum : -((1 << n_planes) - 1) * run_sum);
}

// The largest |w| that is multiplied. Fields of up to four bits are taken out of half a byte.
constexpr int largest_weight(int n_planes) {
  return n_planes <= 4 ? 15 : n_planes == 8 ? 128 : (1 << n_planes) - 1;
}

}  // namespace
}  // namespace pbatch
