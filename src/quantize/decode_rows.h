// Decoding of a prefix, row by row.
#pragma once

#include <cstdint>
#include <vector>

#include "pack/bit_matrix.h"

namespace pbatch {

/// Decodes rows in order at one width, with scratch for one block of rows.
class RowDecoder {
 public:
  /// Precondition: 1 <= width <= matrix.planes_available().
  RowDecoder(const BitMatrix& matrix, int width);
  /// The cols weights of a row. Rows may be asked for in any order; ascending is fast.
  const float* row(std::int64_t r);

 private:
  void decode_block(std::int64_t block);

  const BitMatrix& matrix_;
  int width_;
  std::int64_t block_ = -1;
  std::vector<std::uint16_t> codes_;
  std::vector<float> values_;
};

}  // namespace pbatch
