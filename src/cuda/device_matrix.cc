#include "cuda/device_matrix.h"

#include "cuda/repack.h"
#include "pack/layout.h"

namespace pbatch::cuda {

Result<DeviceMatrix> DeviceMatrix::upload(std::int64_t rows, std::int64_t cols, int run_blocks,
                                          std::span<const std::uint8_t* const> planes,
                                          const float* row_scale) {
  const std::int64_t rbs = row_blocks(rows), cbs = col_blocks(cols);
  const std::int64_t words = plane_words(rbs, slabs_of(cbs));
  DeviceMatrix matrix;
  matrix.rows_ = rows;
  matrix.cols_ = cols;
  matrix.run_blocks_ = run_blocks;
  matrix.planes_ = static_cast<int>(planes.size());
  PBATCH_ASSIGN_OR_RETURN(matrix.words_, DeviceBuffer::allocate(words * 4 * matrix.planes_));
  PBATCH_ASSIGN_OR_RETURN(matrix.row_scale_, DeviceBuffer::copy_of(row_scale, rows * 4));
  PBATCH_ASSIGN_OR_RETURN(const DeviceBuffer canonical,
                          DeviceBuffer::allocate(plane_bytes(rows, cols)));
  for (int i = 0; i < matrix.planes_; ++i) {
    PBATCH_RETURN_IF_ERROR(copy_to_device(canonical.as<void>(), planes[static_cast<std::size_t>(i)],
                                          canonical.bytes()));
    PBATCH_RETURN_IF_ERROR(launch_repack_plane(canonical.as<std::uint8_t>(), rbs, cbs,
                                               matrix.words_.as<std::uint32_t>() + i * words,
                                               nullptr));
  }
  PBATCH_RETURN_IF_ERROR(synchronize(nullptr));
  return matrix;
}

Status DeviceMatrix::add_scales(int weight_bits, const std::uint8_t* scales) {
  const std::int64_t rbs = row_blocks(rows_), cbs = col_blocks(cols_);
  std::vector<std::uint8_t> ordered(
      static_cast<std::size_t>(scale_bytes(rbs, slabs_of(cbs), run_blocks_)));
  repack_scales(scales, rbs, cbs, run_blocks_, ordered.data());
  if (scales_.size() < static_cast<std::size_t>(weight_bits)) {
    scales_.resize(static_cast<std::size_t>(weight_bits));
  }
  PBATCH_ASSIGN_OR_RETURN(
      scales_[static_cast<std::size_t>(weight_bits - 1)],
      DeviceBuffer::copy_of(ordered.data(), static_cast<std::int64_t>(ordered.size())));
  return Status::ok();
}

std::int64_t DeviceMatrix::bytes() const {
  std::int64_t bytes = words_.bytes() + row_scale_.bytes();
  for (const DeviceBuffer& scales : scales_) bytes += scales.bytes();
  return bytes;
}

void DeviceMatrix::fill(int weight_bits, ProductArgs& args) const {
  args.rows = rows_;
  args.row_blocks = row_blocks(rows_);
  args.slabs = slabs_of(col_blocks(cols_));
  args.runs = (col_blocks(cols_) + run_blocks_ - 1) / run_blocks_;
  args.run_blocks = run_blocks_;
  args.weight_bits = weight_bits;
  args.planes = words_.as<std::uint32_t>();
  args.plane_stride = plane_words(args.row_blocks, args.slabs);
  args.scales = scales_[static_cast<std::size_t>(weight_bits - 1)].as<std::uint8_t>();
  args.row_scale = row_scale_.as<float>();
}

}  // namespace pbatch::cuda
