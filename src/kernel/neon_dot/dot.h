// Products (kernel/neon/common.h) with SDOT, which adds four of them to each 32-bit lane.
#pragma once

#include "kernel/neon/common.h"

namespace pbatch {
namespace {

struct Products {
  static constexpr int kSums = 16, kBatchDigits = 4;
  static constexpr bool kSameForLarge = true;

  template <int kLargest, int NX, int kBlockProducts>
  class Sum {
   public:
    inline void clear() { sum_ = vdupq_n_s32(0); }

    template <int v>
    inline void multiply(int8x16_t w, const int8x16_t* x) {
      sum_ = vdotq_laneq_s32(sum_, w, x[v / 4], v % 4);
    }

    inline int32x4_t total() const { return sum_; }

   private:
    int32x4_t sum_;
  };
};

}  // namespace
}  // namespace pbatch
