// Inputs with a known spread, and their moments, for tests of compensated codes.
#pragma once

#include <cstdint>
#include <vector>

#include "quantize/input_moments.h"
#include "tests/quantize/naive_decoder.h"

namespace pbatch::testing {

/// The moments of `count` vectors x = A z, z normal, where A [cols][cols] mixes neighbours and has
/// a few strong directions: eigenvalues spread as in trained networks.
inline InputMoments correlated_moments(std::int64_t rows, std::int64_t cols, std::int64_t count,
                                       unsigned seed) {
  const std::int64_t strong = 8;
  const std::vector<float> directions = gaussian(strong * cols, 77);  // the same for all seeds
  const std::vector<float> z = gaussian(count * (cols + strong), seed);
  InputMoments m{0, rows, cols, count, std::vector<double>(static_cast<std::size_t>(cols * cols))};
  std::vector<double> x(static_cast<std::size_t>(cols));
  for (std::int64_t v = 0; v < count; ++v) {
    const float* const own = z.data() + v * (cols + strong);
    for (std::int64_t c = 0; c < cols; ++c) {
      double value = 0.3 * own[c];
      for (std::int64_t s = 0; s < strong; ++s) {
        value += directions[static_cast<std::size_t>(s * cols + c)] * own[cols + s];
      }
      x[static_cast<std::size_t>(c)] = value * (1 + static_cast<double>(c % 5));
    }
    for (std::int64_t i = 0; i < cols; ++i) {
      for (std::int64_t j = 0; j < cols; ++j) {
        m.moments[static_cast<std::size_t>(i * cols + j)] += x[static_cast<std::size_t>(i)] *
                                                             x[static_cast<std::size_t>(j)] /
                                                             static_cast<double>(count);
      }
    }
  }
  return m;
}

/// White inputs: the identity.
inline InputMoments white_moments(std::int64_t rows, std::int64_t cols) {
  InputMoments m{0, rows, cols, 1, std::vector<double>(static_cast<std::size_t>(cols * cols), 0.0)};
  for (std::int64_t i = 0; i < cols; ++i) m.moments[static_cast<std::size_t>(i * cols + i)] = 1;
  return m;
}

/// sum over rows of e H e', e the errors of width n: element by element.
inline double output_noise(const BitMatrix& matrix, int n, const std::vector<float>& w,
                           const InputMoments& moments) {
  const std::int64_t cols = matrix.cols;
  double noise = 0;
  std::vector<double> e(static_cast<std::size_t>(cols));
  for (std::int64_t r = moments.row_begin; r < moments.row_end; ++r) {
    for (std::int64_t c = 0; c < cols; ++c) {
      e[static_cast<std::size_t>(c)] =
          w[static_cast<std::size_t>(r * cols + c)] - decode_weight(matrix, n, r, c);
    }
    for (std::int64_t i = 0; i < cols; ++i) {
      for (std::int64_t j = 0; j < cols; ++j) {
        noise += e[static_cast<std::size_t>(i)] * e[static_cast<std::size_t>(j)] *
                 moments.moments[static_cast<std::size_t>(i * cols + j)];
      }
    }
  }
  return noise;
}

}  // namespace pbatch::testing
