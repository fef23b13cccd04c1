// ONNX's multi-directional broadcasting: how inputs of different shapes walk
// over one output.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

/// Dimensions that all inputs treat alike are merged, so that equal shapes are
/// one long run, and a bias over a matrix is a run per row.
class Broadcast {
 public:
  static constexpr std::size_t kMaxInputs = 3;
  static constexpr std::size_t kMaxDims =
      16;  ///< that inputs treat differently, one after the other
  using Offsets = std::array<std::int64_t, kMaxInputs>;

  /// For 1 to 3 inputs. shape_mismatch if the shapes do not broadcast, or the
  /// result has more elements than memory could hold; unsupported beyond kMaxDims.
  static Result<Broadcast> create(std::initializer_list<const Shape*> inputs);

  const Shape& shape() const { return shape_; }
  std::int64_t size() const { return size_; }
  /// How input i moves along a run: 1 element a step, or 0 for one value all along.
  std::int64_t step(std::size_t i) const { return dims_.back().strides[i]; }

  /// Calls fn(position, count, offsets) for the runs that make up the output's
  /// elements begin .. end - 1: element `position + k` belongs to element
  /// `offsets[i] + k * step(i)` of input i.
  template <class Fn>
  void for_each_run(std::int64_t begin, std::int64_t end, const Fn& fn) const;

 private:
  struct Dimension {
    std::int64_t size = 1;
    Offsets strides{};
  };

  Shape shape_;
  std::int64_t size_ = 0;
  std::size_t inputs_ = 0;
  std::vector<Dimension> dims_;  ///< merged, outermost first, at least one
};

/// The shape that all shapes broadcast to.
Result<Shape> broadcast_shape(std::span<const Shape* const> shapes);

template <class Fn>
void Broadcast::for_each_run(std::int64_t begin, std::int64_t end, const Fn& fn) const {
  if (begin >= end) return;
  const Dimension& inner = dims_.back();
  const std::size_t outer = dims_.size() - 1;
  std::array<std::int64_t, kMaxDims> index;
  Offsets row{};
  std::int64_t rest = begin / inner.size;
  for (std::size_t d = outer; d-- > 0;) {
    index[d] = rest % dims_[d].size;
    rest /= dims_[d].size;
    for (std::size_t i = 0; i < inputs_; ++i) row[i] += index[d] * dims_[d].strides[i];
  }
  std::int64_t skip = begin % inner.size;
  for (std::int64_t position = begin; position < end;) {
    const std::int64_t count = std::min(inner.size - skip, end - position);
    Offsets offsets = row;
    for (std::size_t i = 0; i < inputs_; ++i) offsets[i] += skip * inner.strides[i];
    fn(position, count, offsets);
    position += count;
    skip = 0;
    for (std::size_t d = outer; d-- > 0;) {
      const bool wraps = ++index[d] == dims_[d].size;
      const std::int64_t move = wraps ? 1 - dims_[d].size : 1;
      if (wraps) index[d] = 0;
      for (std::size_t i = 0; i < inputs_; ++i) row[i] += move * dims_[d].strides[i];
      if (!wraps) break;
    }
  }
}

}  // namespace pbatch
