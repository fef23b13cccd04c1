#include <cmath>

#include "quantize/decode_rows.h"
#include "quantize/quantize_matrix.h"

namespace pbatch {

double measure_sqnr_db(const FloatMatrixView& weights, const BitMatrix& matrix, int width) {
  constexpr double kNothingLost = 300;
  double signal = 0, noise = 0;
  RowDecoder decoder(matrix, width);
  for (std::int64_t r = 0; r < weights.rows; ++r) {
    const float* row = decoder.row(r);
    for (std::int64_t c = 0; c < weights.cols; ++c) {
      const double w = weights.data[r * weights.row_stride + c * weights.col_stride];
      signal += w * w;
      noise += (w - row[c]) * (w - row[c]);
    }
  }
  return noise > 0 ? 10 * std::log10(signal / noise) : kNothingLost;
}

}  // namespace pbatch
