// Which scale belongs to which element of a quantized tensor.
#pragma once

#include <cstdint>

#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

/// Scales of QuantizeLinear and DequantizeLinear: one for all, one per index of an axis, or
/// (block_size > 0) one per block of an axis.
class ScaleLayout {
 public:
  /// shape_mismatch if scales of this shape do not fit.
  static Result<ScaleLayout> create(const Shape& x, const Shape& scale, std::int64_t axis,
                                    std::int64_t block_size);

  /// Calls fn(position, count, first, step) for runs of elements that make up the tensor:
  /// element `position + k` belongs to scale `first + k * step`.
  template <class Fn>
  void for_each_run(const Fn& fn) const {
    for (std::int64_t o = 0; o < outer_; ++o) {
      for (std::int64_t a = 0; a < extent_; ++a) {
        const std::int64_t first = block_ == 0 ? a : (o * blocks_ + a / block_) * inner_;
        fn((o * extent_ + a) * inner_, inner_, first, block_ == 0 ? std::int64_t{0} : 1);
      }
    }
  }

 private:
  std::int64_t outer_ = 1, extent_ = 1, inner_ = 1, blocks_ = 1, block_ = 0;
};

}  // namespace pbatch
