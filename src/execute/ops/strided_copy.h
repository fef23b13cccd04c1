// The one copy behind Transpose, Slice, Split, Expand and Tile.
#pragma once

#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "pbatch/tensor.h"

namespace pbatch {

/// Elements of memory that need not be contiguous: where the first one lies, and per
/// dimension how many there are and how many elements lie between one and the next
/// (0: the same again; negative: backwards).
struct StridedView {
  const void* first = nullptr;
  Shape shape;
  std::vector<std::int64_t> strides;
};

/// Fills `to` in row-major order. Precondition: `to` has the element type and as many
/// elements as the view.
void copy_strided(StridedView from, Tensor& to, ThreadPool& pool);

}  // namespace pbatch
