// Adding up over the four lanes of a row.
#pragma once

#include "cuda/warp_code.h"

namespace pbatch::cuda {

/// Of the first 2 * kLeft values, lanes with bit kMask set keep the upper half, the
/// others the lower one, each with what the lane beside it has.
template <class W, int kMask, int kLeft, int n>
PBATCH_WARP void share_with_neighbour(typename W::U32 (&values)[n]) {
  using U32 = typename W::U32;
  const auto upper = (W::lane() & U32(kMask)) != U32(0);
  PBATCH_UNROLL
  for (int i = 0; i < kLeft; ++i) {
    const U32 given = W::select(upper, values[i], values[i + kLeft]);
    const U32 kept = W::select(upper, values[i + kLeft], values[i]);
    values[i] = kept + W::shuffle_xor(given, kMask);
  }
}

/// Lane t (of four) is left with the sums over the four lanes of its quarter of the values:
/// values[t * n / 4 + i] in values[i]. n is a multiple of 4; 3 n / 4 shuffles.
template <class W, int n>
PBATCH_WARP void share_sums(typename W::U32 (&values)[n]) {
  static_assert(n % 4 == 0);
  share_with_neighbour<W, 2, n / 2>(values);
  share_with_neighbour<W, 1, n / 4>(values);
}

}  // namespace pbatch::cuda
