#include "quantize/decode_rows.h"

#include <algorithm>
#include <cmath>

#include "pack/layout.h"
#include "pack/pack.h"

namespace pbatch {

RowDecoder::RowDecoder(const BitMatrix& matrix, int width)
    : matrix_(matrix),
      width_(width),
      codes_(static_cast<std::size_t>(kBlockRows * matrix.cols)),
      values_(static_cast<std::size_t>(kBlockRows * matrix.cols)) {}

const float* RowDecoder::row(std::int64_t r) {
  if (r / kBlockRows != block_) decode_block(r / kBlockRows);
  return values_.data() + r % kBlockRows * matrix_.cols;
}

void RowDecoder::decode_block(std::int64_t block) {
  block_ = block;
  const std::int64_t first = block * kBlockRows;
  const std::int64_t rows = std::min<std::int64_t>(kBlockRows, matrix_.rows - first);
  // Blocks of 16 rows are contiguous in every plane, so a block unpacks as a matrix of its own.
  const std::uint8_t* planes[16];
  for (int p = 0; p < width_; ++p) {
    planes[p] = matrix_.planes[static_cast<std::size_t>(p)].data() +
                block * col_blocks(matrix_.cols) * kBlockBytes;
  }
  unpack_planes(planes, width_, rows, matrix_.cols, codes_.data());
  const std::int64_t group = matrix_.group == 0 ? matrix_.cols : matrix_.group;
  const int offset = (1 << width_) - 1;
  for (std::int64_t i = 0; i < rows; ++i) {
    const double unit = std::ldexp(matrix_.row_scale[static_cast<std::size_t>(first + i)], -width_);
    for (std::int64_t c = 0; c < matrix_.cols; ++c) {
      const auto at = static_cast<std::size_t>(i * matrix_.cols + c);
      const double scale = unit * matrix_.group_scale(width_, first + i, c / group);
      values_[at] = static_cast<float>(scale * (2 * codes_[at] - offset));
    }
  }
}

}  // namespace pbatch
