#include "product/outlier_product.h"

#include <algorithm>

#include "layout/layout.h"
#include "layout/pack.h"
#include "layout/scheme.h"

namespace pbatch {

OutlierProduct::OutlierProduct(const BitMatrix& m, int weight_bits) {
  if (m.outlier_places.empty()) return;
  const std::uint8_t* planes[16] = {};
  for (int p = 0; p < weight_bits; ++p) planes[p] = m.planes[static_cast<std::size_t>(p)].data();
  for (const std::int32_t place : m.outlier_places) {
    columns_.push_back(static_cast<std::int32_t>(place % m.cols));
  }
  std::sort(columns_.begin(), columns_.end());
  columns_.erase(std::unique(columns_.begin(), columns_.end()), columns_.end());
  entries_.reserve(m.outlier_places.size());
  for (std::int64_t block = 0; block < row_blocks(m.rows); ++block) {
    first_.push_back(static_cast<std::int32_t>(entries_.size()));
    m.visit_outliers(
        block * kBlockRows, std::min(m.rows, (block + 1) * kBlockRows),
        [&](std::int64_t row, std::int64_t col, float value) {
          std::uint16_t codes[kBlockCols];
          unpack_row(planes, weight_bits, m.cols, row, col / kBlockCols, codes);
          const std::int64_t group = m.group == 0 ? 0 : col / m.group;
          const double half_step =
              half_step_of(m.row_scale[static_cast<std::size_t>(row)],
                           m.group_scale(weight_bits, row, group), weight_bits);
          const double coded = half_step * level_of_code(codes[col % kBlockCols], weight_bits);
          const auto slot = std::lower_bound(columns_.begin(), columns_.end(), col);
          entries_.push_back({static_cast<std::int32_t>(row), static_cast<std::int32_t>(col),
                              static_cast<std::int32_t>(slot - columns_.begin()),
                              static_cast<float>(value - coded)});
        });
  }
  first_.push_back(static_cast<std::int32_t>(entries_.size()));
}

void OutlierProduct::run(std::int64_t begin, std::int64_t end, const float* x, bool only_columns,
                         float* added) const {
  std::fill(added + begin * kBlockRows, added + end * kBlockRows, 0.0F);
  const Entry* const last = entries_.data() + first_[static_cast<std::size_t>(end)];
  for (const Entry* e = entries_.data() + first_[static_cast<std::size_t>(begin)]; e != last; ++e) {
    added[e->row] = added[e->row] + e->difference * x[only_columns ? e->slot : e->column];
  }
}

}  // namespace pbatch
