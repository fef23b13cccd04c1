// Weights as integer steps take them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "integer/format.h"
#include "integer/integer_program.h"
#include "layout/bit_matrix.h"
#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

/// A matrix of codes and what its results are scaled by. `view` points into the others.
struct IntegerProduct {
  pb_product view = {};
  std::vector<std::uint8_t> bytes;   ///< codes of up to 8 bits
  std::vector<std::uint16_t> words;  ///< wider ones
  std::shared_ptr<void> tiles;  ///< allocate_aligned()'s: large ones lie on huge pages; or null
  std::vector<std::uint8_t> tile_scales, scales;
  std::vector<pb_dyadic> to_result;
  std::vector<std::int64_t> bias, tile_offsets;
  std::vector<Interval> rows;  ///< what each row can give, bias added
  AccumulatorBound bound;

  void point();
  Interval interval() const;
};

/// Codes with the meaning of layout/scheme.h: w = row_scale * q * 2^-n * (2 u - (2^n - 1)).
struct IntegerWeights {
  std::int64_t rows = 0, cols = 0, group = 0;
  int bits = 0;
  std::vector<std::uint16_t> codes;  ///< [rows][cols]
  std::vector<std::uint8_t> scales;  ///< [rows][groups]
  std::vector<double> row_scale;

  /// Rows begin ... end - 1 at a width. unsupported for a matrix that keeps outliers.
  static Result<IntegerWeights> of_bits(const BitMatrix& matrix, int width, std::int64_t begin,
                                        std::int64_t end);
  /// Floats [rows][cols], or [cols][rows]: 16 bits, a scale for each row.
  static IntegerWeights of_floats(const float* w, std::int64_t rows, std::int64_t cols,
                                  bool transposed);
  double value(std::int64_t row, std::int64_t col) const;
};

/// The product of vectors in `x` with these weights. `bias` [rows] or null. `y`: what results are,
/// given what they can be; relu: never below 0.
std::shared_ptr<IntegerProduct> make_integer_product(
    IntegerWeights weights, const IntegerFormat& x, const Interval& range, const float* bias,
    const std::function<IntegerFormat(const Interval&)>& y_format, bool relu, IntegerFormat* y);

/// A table whose rows are looked up.
std::shared_ptr<IntegerProduct> make_integer_table(
    IntegerWeights weights, const std::function<IntegerFormat(const Interval&)>& y_format,
    IntegerFormat* y);

}  // namespace pbatch
