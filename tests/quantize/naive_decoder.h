// The bit-layer formulas once more, as slow as they are plain: what the tests
// of quantization compare with. Shares no code with the library.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "layout/bit_matrix.h"

namespace pbatch::testing {

/// The bit of weight (r, c) in one plane, by the text of layout/layout.h.
inline int plane_bit(const BitMatrix& m, std::size_t plane, std::int64_t r, std::int64_t c) {
  const std::int64_t blocks_across = (m.cols + 31) / 32;
  const std::int64_t block = r / 16 * blocks_across + c / 32;
  const std::int64_t row = r % 16, col = c % 32;
  const std::int64_t byte = block * 64 + 16 * (row / 4) + 2 * (col / 4) + row % 4 / 2;
  const std::int64_t bit = row % 2 * 4 + col % 4;
  return m.planes[plane][static_cast<std::size_t>(byte)] >> bit & 1;
}

/// w[r][c] at width n, by the text of layout/bit_matrix.h.
inline double decode_weight(const BitMatrix& m, int n, std::int64_t r, std::int64_t c) {
  for (std::size_t i = 0; i < m.outlier_places.size(); ++i) {
    if (m.outlier_places[i] == r * m.cols + c) return m.outlier_values[i];
  }
  std::int64_t u = 0;
  for (int p = 0; p < n; ++p) u = 2 * u + plane_bit(m, static_cast<std::size_t>(p), r, c);
  const std::int64_t groups = m.group == 0 ? 1 : (m.cols + m.group - 1) / m.group;
  const std::int64_t g = m.group == 0 ? 0 : c / m.group;
  const int code = m.group_codes[static_cast<std::size_t>(r * groups + g)];
  const int table = (n < m.codebook_widths ? n : m.codebook_widths) - 1;
  const double q = m.codebook[static_cast<std::size_t>(table * 256 + code)];
  const double scale = m.row_scale[static_cast<std::size_t>(r)];
  return scale * q * std::pow(2.0, -n) * (2.0 * static_cast<double>(u) - (std::pow(2.0, n) - 1));
}

/// Decibels of the matrix `w` (rows x cols) over the error of the first n planes.
inline double decoded_sqnr(const BitMatrix& m, int n, const std::vector<float>& w) {
  double signal = 0, noise = 0;
  for (std::int64_t r = 0; r < m.rows; ++r) {
    for (std::int64_t c = 0; c < m.cols; ++c) {
      const double v = w[static_cast<std::size_t>(r * m.cols + c)];
      const double e = v - decode_weight(m, n, r, c);
      signal += v * v;
      noise += e * e;
    }
  }
  return 10 * std::log10(signal / noise);
}

inline std::vector<float> gaussian(std::int64_t count, unsigned seed, float sigma = 1) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0, sigma);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& v : values) v = normal(engine);
  return values;
}

}  // namespace pbatch::testing
