#include "quantize/dequantize.h"

#include "quantize/decode_rows.h"

namespace pbatch {

Result<Tensor> dequantize(const BitMatrix& matrix, int width, bool transposed) {
  const Shape shape = transposed ? Shape{matrix.cols, matrix.rows} : Shape{matrix.rows, matrix.cols};
  PBATCH_ASSIGN_OR_RETURN(Tensor tensor, Tensor::create(DType::f32, shape));
  float* const out = tensor.mutable_data<float>();
  RowDecoder decoder(matrix, width);
  for (std::int64_t r = 0; r < matrix.rows; ++r) {
    const float* row = decoder.row(r);
    for (std::int64_t c = 0; c < matrix.cols; ++c) {
      out[transposed ? c * matrix.rows + r : r * matrix.cols + c] = row[c];
    }
  }
  return tensor;
}

}  // namespace pbatch
