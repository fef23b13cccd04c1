// Whether two weights are one matrix, whichever way round each lies in memory.
#pragma once

#include <cstddef>
#include <unordered_map>

#include "base/thread_pool.h"
#include "quantize/weight_view.h"

namespace pbatch {

/// Of the numbers in rows and columns, bit for bit. `pool` may be null.
std::size_t hash_of(const WeightView& weights, ThreadPool* pool);
/// Same shape and same bits.
bool same_matrix(const WeightView& a, const WeightView& b);

/// How often each matrix is used in a network.
class MatrixCensus {
 public:
  /// The memory behind the view must stay.
  void add(const WeightView& weights, ThreadPool* pool);
  bool is_shared(const WeightView& weights, ThreadPool* pool) const;

 private:
  struct Entry {
    WeightView weights;
    int uses = 0;
  };
  std::unordered_multimap<std::size_t, Entry> entries_;  // by hash
};

}  // namespace pbatch
