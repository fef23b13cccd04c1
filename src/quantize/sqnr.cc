#include "quantize/sqnr.h"

#include <algorithm>
#include <cmath>

#include "layout/pack.h"
#include "layout/scheme.h"
#include "quantize/row_blocks.h"

namespace pbatch {
namespace {

// Sum of squared errors of one group at one width.
double group_noise(const float* w, const std::uint16_t* codes, std::int64_t count, int shift,
                   int width, double half_step) {
  double sum[4] = {};  // side by side, so that compilers use vectors
  const auto square = [&](std::int64_t i) {
    const double e =
        w[i] - half_step * static_cast<double>(level_of_code(codes[i] >> shift, width));
    return e * e;
  };
  std::int64_t i = 0;
  for (; i + 4 <= count; i += 4) {
    for (int l = 0; l < 4; ++l) sum[l] += square(i + l);
  }
  for (; i < count; ++i) sum[0] += square(i);
  return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

// Moves the weights and codes of a group that are no outliers to its front; returns how many.
std::int64_t drop_outliers(const BitMatrix& m, std::int64_t row, std::int64_t first,
                           std::int64_t count, float* w, std::uint16_t* codes) {
  const std::int64_t begin = row * m.cols + first;
  auto next = std::lower_bound(m.outlier_places.begin(), m.outlier_places.end(), begin);
  if (next == m.outlier_places.end() || *next >= begin + count) return count;
  std::int64_t kept = 0;
  for (std::int64_t c = 0; c < count; ++c) {
    if (next != m.outlier_places.end() && *next == begin + c) {
      ++next;
      continue;
    }
    w[kept] = w[c];
    codes[kept++] = codes[c];
  }
  return kept;
}

}  // namespace

std::vector<double> measure_sqnr(const BitMatrix& m, const WeightView& weights, ThreadPool* pool) {
  const int planes = m.planes_available();
  const std::int64_t cols = m.cols, group_cols = m.group == 0 ? cols : m.group;
  const auto columns = static_cast<std::size_t>(planes) + 1;
  // Per row: the signal, then the noise at each width; added in order at the end.
  std::vector<double> sums(static_cast<std::size_t>(m.rows) * columns, 0);
  for_each_row_block(m.rows, pool, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> rows(static_cast<std::size_t>((end - begin) * cols));
    std::vector<std::uint16_t> codes(rows.size());
    std::vector<const std::uint8_t*> block;
    for (const auto& plane : m.planes) block.push_back(plane.data() + plane_bytes(begin, cols));
    weights.copy_rows(begin, end, rows.data());
    unpack_planes(block.data(), planes, end - begin, cols, codes.data());
    for (std::int64_t r = begin; r < end; ++r) {
      double* sum = &sums[static_cast<std::size_t>(r) * columns];
      const float row_scale = m.row_scale[static_cast<std::size_t>(r)];
      for (std::int64_t g = 0; g < m.groups(); ++g) {
        const std::int64_t at = (r - begin) * cols + g * group_cols;
        std::int64_t count = std::min(group_cols, cols - g * group_cols);
        float* const w = rows.data() + at;
        for (std::int64_t c = 0; c < count; ++c) sum[0] += static_cast<double>(w[c]) * w[c];
        count = drop_outliers(m, r, g * group_cols, count, w, codes.data() + at);
        for (int n = 1; n <= planes; ++n) {
          const double half_step = half_step_of(row_scale, m.group_scale(n, r, g), n);
          sum[n] += group_noise(w, codes.data() + at, count, planes - n, n, half_step);
        }
      }
    }
  });
  std::vector<double> total(columns, 0);
  for (std::size_t i = 0; i < sums.size(); ++i) total[i % columns] += sums[i];
  std::vector<double> db;
  for (std::size_t n = 1; n < columns; ++n) {
    const double ratio = total[n] > 0 ? total[0] / total[n] : INFINITY;
    db.push_back(std::min(kMaxSqnrDb, 10 * std::log10(ratio)));
  }
  return db;
}

}  // namespace pbatch
