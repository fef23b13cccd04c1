// Tensors of one shape, one behind the other along a new axis: scan outputs.
#pragma once

#include <cstdint>

#include "op/op.h"

namespace pbatch {

/// Grows as slices come; at most twice the memory of what it holds.
class SliceStack {
 public:
  /// `most`: so many slices come, at most.
  explicit SliceStack(std::int64_t most) : most_(most) {}

  /// An error if its type or shape differs from those before it.
  Status add(const RunContext& context, const Tensor& slice);
  std::int64_t count() const { return count_; }

  /// All slices as one tensor, the new axis before dimension `axis` of a slice (negative: from
  /// the end), `backwards` with the last slice first. `declared` tells type and shape of a slice
  /// if there was none; unknown dimensions count as 0.
  Result<Tensor> finish(const RunContext& context, const Value& declared, std::int64_t axis = 0,
                        bool backwards = false) const;

 private:
  Status grow(const RunContext& context);

  std::int64_t most_;
  std::int64_t count_ = 0, room_ = 0;
  Tensor first_;
  Tensor memory_;  // room_ slices, of which count_ are filled
};

/// Slice `index` of `tensor` along `axis`, without that axis. Along the first axis nothing is
/// copied. Precondition: both are in range.
Result<Tensor> slice_at(const RunContext& context, const Tensor& tensor, std::size_t axis,
                        std::int64_t index);

}  // namespace pbatch
