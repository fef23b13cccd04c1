// Products (common.h) with what every aarch64 processor has: multiplication to 16 bits, added up
// there as long as they cannot overflow.
#pragma once

#include "kernel/neon/common.h"

namespace pbatch {
namespace {

// The most steps of a block, a power of two, that take at most `limit` products.
constexpr int steps_that_fit(int limit) {
  return limit >= 8 ? 8 : limit >= 4 ? 4 : limit >= 2 ? 2 : 1;
}

struct Products {
  static constexpr int kSums = 4, kBatchDigits = 2;
  static constexpr bool kSameForLarge = false;

  template <int kLargest, int NX, int kBlockProducts>
  class Sum {
   public:
    inline void clear() {
      narrow_[0] = narrow_[1] = vdupq_n_s16(0);
      wide_[0] = wide_[1] = vdupq_n_s32(0);
    }

    template <int v>
    inline void multiply(int8x16_t w, const int8x16_t* x) {
      const int32x4_t all = vreinterpretq_s32_s8(x[v / 4]);
      const int8x16_t four = vreinterpretq_s8_s32(vdupq_laneq_s32(all, v % 4));
      if (!kWholeRun && v % kSteps == 0) {
        narrow_[0] = vmull_s8(vget_low_s8(w), vget_low_s8(four));
        narrow_[1] = vmull_high_s8(w, four);
      } else {
        narrow_[0] = vmlal_s8(narrow_[0], vget_low_s8(w), vget_low_s8(four));
        narrow_[1] = vmlal_high_s8(narrow_[1], w, four);
      }
      if (!kWholeRun && (v + 1) % kSteps == 0) {
        wide_[0] = vpadalq_s16(wide_[0], narrow_[0]);
        wide_[1] = vpadalq_s16(wide_[1], narrow_[1]);
      }
    }

    inline int32x4_t total() const {
      if (!kWholeRun) return vpaddq_s32(wide_[0], wide_[1]);
      return vpaddq_s32(vpaddlq_s16(narrow_[0]), vpaddlq_s16(narrow_[1]));
    }

   private:
    // How many products fit 16 bits together. A byte digit is at least -128, but a whole q of 8
    // bits at least -127.
    static constexpr int kFit = INT16_MAX / (kLargest * (NX == 1 ? 127 : 128));
    static constexpr int kSteps = steps_that_fit(kFit);
    static constexpr bool kWholeRun = (int)kMaxRunCols / (int)kBlockCols * kBlockProducts <= kFit;
    static_assert(kWholeRun || kBlockProducts == 8, "every step of a block is needed below");

    int16x8_t narrow_[2];  // two rows each, four columns a row, added up over steps
    int32x4_t wide_[2];    // two rows each
  };
};

}  // namespace
}  // namespace pbatch
