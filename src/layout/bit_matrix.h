// A weight matrix as bit-layers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "pbatch/status.h"

namespace pbatch {

/// A rows x cols matrix W (y = W x) in offset-binary, mid-rise codes.
///
/// With u in 0 .. 2^n - 1 the number that the n most significant planes spell,
///   w[r][c] ~ row_scale[r] * q(n, r, g) * 2^-n * (2 u - (2^n - 1)),
///   q(n, r, g) = codebook[min(n, codebook_widths) - 1][ group_codes[r][g] ],
/// where g = c / group. Every prefix of planes is the code of that width.
/// q is an integer from 0 to 255: two-level group scales, as in VS-Quant
/// (Dai et al. 2021), and one byte per group serves every width because the
/// codebook, shared by the matrix, holds the best scale for each width.
///
/// All pointers stay valid while `owner` lives. Immutable, so shared freely
/// between threads.
struct BitMatrix {
  std::int64_t rows = 0, cols = 0;
  int group = 0;            ///< columns per group, a multiple of 32; 0: one group per row
  int planes_stored = 0;    ///< planes of the full model, 1 to 16
  int codebook_widths = 0;  ///< rows of the codebook, 1 to 16

  /// Planes at hand, most significant first, each plane_bytes(rows, cols) long
  /// (layout.h). Fewer than planes_stored when the data file was cut.
  std::vector<std::span<const std::uint8_t>> planes;
  std::span<const std::uint8_t> group_codes;  ///< [rows][groups()]
  std::span<const std::uint8_t> codebook;     ///< [codebook_widths][256]
  std::span<const float> row_scale;           ///< [rows]
  /// Weights kept apart from the planes: whatever these say there, such a weight has its value at
  /// every width. Places are row * cols + column, ascending; fewer than 2^31 weights if there are
  /// any.
  std::span<const std::int32_t> outlier_places;
  std::span<const float> outlier_values;  ///< [outlier_places.size()]
  std::shared_ptr<const void> owner;
  /// Checks the stored checksums of the first n planes, each only once;
  /// thread-safe. Empty when the planes were made in memory.
  std::function<Status(int n)> verify_planes;
  /// CRC-32 of all planes_stored planes as the data file records them, in hexadecimal, also of
  /// those that a cut file lacks; empty when the planes were made in memory.
  std::vector<std::string> plane_checksums;

  std::int64_t groups() const { return group == 0 ? 1 : (cols + group - 1) / group; }
  int planes_available() const { return static_cast<int>(planes.size()); }
  /// What scales and outliers take.
  std::int64_t scale_bytes() const {
    return static_cast<std::int64_t>(group_codes.size() + codebook.size() + row_scale.size_bytes() +
                                     outlier_places.size_bytes() + outlier_values.size_bytes());
  }
  /// Calls task(row, column, value) for the outliers of rows begin .. end - 1, ascending.
  template <class Task>
  void visit_outliers(std::int64_t begin, std::int64_t end, const Task& task) const {
    const auto first = std::lower_bound(outlier_places.begin(), outlier_places.end(), begin * cols);
    auto i = static_cast<std::size_t>(first - outlier_places.begin());
    for (; i < outlier_places.size() && outlier_places[i] < end * cols; ++i) {
      task(outlier_places[i] / cols, outlier_places[i] % cols, outlier_values[i]);
    }
  }
  /// q of the comment above. Precondition: 1 <= width.
  std::uint8_t group_scale(int width, std::int64_t row, std::int64_t g) const {
    const int w = width < codebook_widths ? width : codebook_widths;
    const auto code = group_codes[static_cast<std::size_t>(row * groups() + g)];
    return codebook[static_cast<std::size_t>(w - 1) * 256 + code];
  }
};

}  // namespace pbatch
