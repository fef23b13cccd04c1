#include "device/resident_matrix.h"

#include <utility>
#include <vector>

#include "op/bits/bit_weights.h"
#include "product/runs.h"

namespace pbatch {

ResidentMatrix::ResidentMatrix(std::shared_ptr<const BitMatrix> matrix,
                               std::shared_ptr<Accelerator> device)
    : matrix_(std::move(matrix)), device_(std::move(device)) {}

Result<const DeviceMatrix*> ResidentMatrix::get(int weight_bits) {
  PBATCH_RETURN_IF_ERROR(check_planes(*matrix_, weight_bits));
  const std::lock_guard lock(mutex_);
  if (there_ == nullptr) {
    const DeviceMatrixShape shape{matrix_->rows, matrix_->cols, run_blocks_of(*matrix_),
                                  matrix_->planes_available()};
    PBATCH_ASSIGN_OR_RETURN(there_, device_->create_matrix(shape, matrix_->row_scale.data()));
  }
  PBATCH_RETURN_IF_ERROR(add_width(weight_bits));
  return static_cast<const DeviceMatrix*>(there_.get());
}

Status ResidentMatrix::add_width(int weight_bits) {
  std::vector<const std::uint8_t*> missing;
  for (int plane = there_->planes(); plane < weight_bits; ++plane) {
    missing.push_back(matrix_->planes[static_cast<std::size_t>(plane)].data());
  }
  if (!missing.empty()) PBATCH_RETURN_IF_ERROR(there_->add_planes(missing));
  if (there_->has_scales(weight_bits)) return Status::ok();
  const std::shared_ptr<const std::uint8_t> scales = run_scales(*matrix_, weight_bits);
  if (scales == nullptr) {
    return {ErrorCode::out_of_memory, "no memory for the scales of a matrix", "free memory"};
  }
  return there_->add_scales(weight_bits, scales.get());
}

}  // namespace pbatch
