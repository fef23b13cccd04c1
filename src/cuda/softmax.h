// Softmax and its logarithm over the last dimension, on the device: one warp for each row.
#pragma once

#include <stdint.h>

#include "accelerator/operation_args.h"
#include "cuda/layout.h"

namespace pbatch::cuda {

/// Calls fn(floats of the lanes, where they are, first column) for the columns of a row.
template <class W, class Fn>
PBATCH_WARP void for_each_lanes(const SoftmaxArgs& args, int64_t row, const Fn& fn) {
  using U32 = typename W::U32;
  for (int64_t col = 0; col < args.cols; col += kLanes) {
    const int64_t left = args.cols - col;
    const typename W::Bool here =
        W::lane() < U32(static_cast<uint32_t>(left < kLanes ? left : kLanes));
    fn(W::load(args.x + row * args.cols + col, W::lane(), here), here, col);
  }
}

template <class W>
PBATCH_WARP void softmax_row(const SoftmaxArgs& args, int64_t row) {
  using F32 = typename W::F32;
  F32 largest(args.x[row * args.cols]);
  for_each_lanes<W>(args, row, [&](const F32& x, const typename W::Bool& here, int64_t) {
    largest = W::select(here & (x > largest), x, largest);
  });
  PBATCH_UNROLL
  for (int mask = 16; mask > 0; mask /= 2) {
    const F32 other = W::shuffle_xor(largest, mask);
    largest = W::select(other > largest, other, largest);
  }
  F32 sum(0.0f);
  for_each_lanes<W>(args, row, [&](const F32& x, const typename W::Bool& here, int64_t) {
    sum = sum + W::select(here, W::exp(x - largest), F32(0.0f));
  });
  PBATCH_UNROLL
  for (int mask = 16; mask > 0; mask /= 2) sum = sum + W::shuffle_xor(sum, mask);
  const F32 log_sum = args.log ? W::log(sum) : F32(0.0f);
  for_each_lanes<W>(args, row, [&](const F32& x, const typename W::Bool& here, int64_t col) {
    const F32 y = args.log ? (x - largest) - log_sum : W::exp(x - largest) / sum;
    W::store(args.y + row * args.cols + col, W::lane(), y, here);
  });
}

}  // namespace pbatch::cuda
