// y = W x of floats on the device, for the small matrices that stay float in a network of
// bit-layers: one warp for each row and vector. It adds up in an order of its own; float products
// carry no promise of equal bits.
#pragma once

#include <stdint.h>

#include "accelerator/operation_args.h"
#include "cuda/layout.h"

namespace pbatch::cuda {

/// y of row `item` % rows of vector `item` / rows.
template <class W>
PBATCH_WARP void float_product_row(const FloatProductArgs& args, int64_t item) {
  using U32 = typename W::U32;
  using F32 = typename W::F32;
  const int64_t vector = item / args.rows, row = item % args.rows;
  const float* const w = args.w + row * args.cols;
  const float* const x = args.x + vector * args.ldx;
  F32 sum(0.0f);
  for (int64_t col = 0; col < args.cols; col += kLanes) {
    const int64_t left = args.cols - col;
    const typename W::Bool here =
        W::lane() < U32(static_cast<uint32_t>(left < kLanes ? left : kLanes));
    sum = sum + W::load(w + col, W::lane(), here) * W::load(x + col, W::lane(), here);
  }
  PBATCH_UNROLL
  for (int mask = 16; mask > 0; mask /= 2) sum = sum + W::shuffle_xor(sum, mask);
  if (args.bias != nullptr) sum = sum + F32(args.bias[row]);
  if (args.activation == Activation::relu) sum = W::select(sum < F32(0.0f), F32(0.0f), sum);
  W::store(args.y + vector * args.ldy + row, W::lane(), sum, W::lane() == U32(0));
}

}  // namespace pbatch::cuda
