// What the outliers of a matrix add to a product of its bit-layers.
#pragma once

#include <cstdint>
#include <vector>

#include "layout/bit_matrix.h"

namespace pbatch {

/// The outliers at one width: by how much each differs from what the planes say. They are added to
/// the product in float32, with activations that are not rounded. Immutable.
class OutlierProduct {
 public:
  OutlierProduct() = default;
  /// The planes of `weight_bits` must be there. Throws std::bad_alloc.
  OutlierProduct(const BitMatrix& matrix, int weight_bits);

  bool empty() const { return entries_.empty(); }
  /// Those with outliers, ascending.
  const std::vector<std::int32_t>& columns() const { return columns_; }

  /// added[row] for the rows of the row blocks begin ... end - 1, those that fill them up too: the
  /// sum of fl(difference * x[column]) from 0, columns ascending, each sum rounded to float32.
  /// `x`: [cols], or `only_columns`: those of columns().
  void run(std::int64_t begin, std::int64_t end, const float* x, bool only_columns,
           float* added) const;

 private:
  struct Entry {
    std::int32_t row, column, slot;  // columns_[slot] is the column
    float difference;
  };
  std::vector<Entry> entries_;
  std::vector<std::int32_t> first_;  // [row blocks + 1]: entries
  std::vector<std::int32_t> columns_;
};

}  // namespace pbatch
