#include "op/recurrent/recurrent_float.h"

#include <algorithm>
#include <string>

namespace pbatch {
namespace {

// Columns first .. first + count - 1 of a matrix.
Result<Tensor> columns(const Tensor& m, std::int64_t first, std::int64_t count) {
  PBATCH_ASSIGN_OR_RETURN(Tensor part, Tensor::create(DType::f32, {m.dim(0), count}));
  for (std::int64_t i = 0; i < m.dim(0); ++i) {
    std::copy_n(m.data<float>() + i * m.dim(1) + first, count,
                part.mutable_data<float>() + i * count);
  }
  return part;
}

}  // namespace

Result<FloatRecurrentWeights> FloatRecurrentWeights::create(const GateTiles& gates,
                                                            const Tensor& r) {
  if (r.dtype() != DType::f32 || r.shape() != Shape{gates.hidden, gates.rows()}) {
    return Status(ErrorCode::shape_mismatch,
                  std::string("the recurrent weights are ") + dtype_name(r.dtype()) + " " +
                      shape_to_string(r.shape()) + ", not float32 " +
                      shape_to_string({gates.hidden, gates.rows()}),
                  "export or quantize the network again");
  }
  FloatRecurrentWeights weights;
  const std::int64_t rows = gates.first_part_blocks() * kTileUnits;
  if (rows == gates.rows()) {
    PBATCH_ASSIGN_OR_RETURN(weights.parts_[0],
                            FloatMatrix::create(r, FloatMatrix::Layout::cols_rows));
    return weights;
  }
  PBATCH_ASSIGN_OR_RETURN(Tensor first, columns(r, 0, rows));
  PBATCH_ASSIGN_OR_RETURN(Tensor second, columns(r, rows, gates.rows() - rows));
  PBATCH_ASSIGN_OR_RETURN(weights.parts_[0],
                          FloatMatrix::create(std::move(first), FloatMatrix::Layout::cols_rows));
  PBATCH_ASSIGN_OR_RETURN(weights.parts_[1],
                          FloatMatrix::create(std::move(second), FloatMatrix::Layout::cols_rows));
  return weights;
}

Status FloatRecurrentProduct::run(const float* h, std::int64_t ldh, std::int64_t first,
                                  std::int64_t last, std::int64_t grain, float* y, std::int64_t ldy,
                                  const RangeTask& done) {
  const FloatMatrix& matrix = weights_.part(first == 0 ? 0 : 1);
  const std::int64_t cols = gates_.hidden, rows = (last - first) * kTileUnits;
  const bool as_they_stand = batch_ == 1 || (ldh == cols && ldy == rows);
  FloatGemmCall call;
  call.batch = batch_;
  call.x = h;
  call.y = y + first * kTileUnits;
  if (!as_they_stand) {
    if (scratch_ == nullptr) {
      const std::int64_t floats = batch_ * (cols + gates_.rows());
      scratch_ = buffers_.take(static_cast<std::size_t>(floats) * sizeof(float));
      if (scratch_ == nullptr) {
        return {ErrorCode::out_of_memory, "no memory for the vectors of a recurrent layer",
                "free memory or use a smaller batch"};
      }
    }
    auto* const vectors = static_cast<float*>(scratch_.get());
    for (std::int64_t b = 0; b < batch_; ++b) std::copy_n(h + b * ldh, cols, vectors + b * cols);
    call.x = vectors;
    call.y = vectors + batch_ * cols;
  }
  PBATCH_RETURN_IF_ERROR(matrix.multiply(call, backend_, pool_, buffers_));
  if (!as_they_stand) {
    for (std::int64_t b = 0; b < batch_; ++b) {
      std::copy_n(call.y + b * rows, rows, y + b * ldy + first * kTileUnits);
    }
  }
  // The cells take little time beside the product, and the library's threads are still awake.
  (void)grain;
  done(first, last);
  return Status::ok();
}

}  // namespace pbatch
