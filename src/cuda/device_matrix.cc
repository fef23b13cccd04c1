#include "cuda/device_matrix.h"

#include <algorithm>
#include <utility>

#include "cuda/repack.h"
#include "layout/layout.h"

namespace pbatch::cuda {
namespace {

constexpr std::size_t kWidths = 16;

std::size_t index_of(int weight_bits) { return static_cast<std::size_t>(weight_bits - 1); }

}  // namespace

Result<DeviceMatrix> DeviceMatrix::create(std::shared_ptr<Device> device, std::int64_t rows,
                                          std::int64_t cols, int run_blocks, int planes,
                                          const float* row_scale) {
  DeviceMatrix matrix;
  matrix.rows_ = rows;
  matrix.cols_ = cols;
  matrix.run_blocks_ = run_blocks;
  matrix.scales_.resize(kWidths);
  const std::int64_t words = plane_words(row_blocks(rows), slabs_of(col_blocks(cols)));
  PBATCH_ASSIGN_OR_RETURN(matrix.words_, DeviceBuffer::allocate(device, words * 4 * planes));
  PBATCH_ASSIGN_OR_RETURN(matrix.row_scale_, DeviceBuffer::copy_of(device, row_scale, rows * 4));
  matrix.device_ = std::move(device);
  return matrix;
}

Status DeviceMatrix::add_planes(std::span<const std::uint8_t* const> planes) {
  const std::int64_t rbs = row_blocks(rows_), cbs = col_blocks(cols_);
  const std::int64_t words = plane_words(rbs, slabs_of(cbs));
  PBATCH_ASSIGN_OR_RETURN(const DeviceBuffer canonical,
                          DeviceBuffer::allocate(device_, plane_bytes(rows_, cols_)));
  for (const std::uint8_t* plane : planes) {
    PBATCH_RETURN_IF_ERROR(device_->copy_to_device(canonical.as<void>(), plane, canonical.bytes()));
    PBATCH_RETURN_IF_ERROR(device_->repack_plane(canonical.as<std::uint8_t>(), rbs, cbs,
                                                 words_.as<std::uint32_t>() + planes_ * words,
                                                 nullptr));
    PBATCH_RETURN_IF_ERROR(device_->synchronize(nullptr));
    ++planes_;
  }
  return Status::ok();
}

Status DeviceMatrix::add_scales(int weight_bits, const std::uint8_t* scales) {
  const std::int64_t rbs = row_blocks(rows_), cbs = col_blocks(cols_);
  std::vector<std::uint8_t> ordered(
      static_cast<std::size_t>(scale_bytes(rbs, slabs_of(cbs), run_blocks_)));
  repack_scales(scales, rbs, cbs, run_blocks_, ordered.data());
  PBATCH_ASSIGN_OR_RETURN(
      scales_[index_of(weight_bits)],
      DeviceBuffer::copy_of(device_, ordered.data(), static_cast<std::int64_t>(ordered.size())));
  return Status::ok();
}

bool DeviceMatrix::has_scales(int weight_bits) const {
  return scales_[index_of(weight_bits)].bytes() > 0;
}

void DeviceMatrix::fill(int weight_bits, std::int64_t first, std::int64_t blocks,
                        ProductArgs& args) const {
  args.rows = std::min(rows_ - first * 16, blocks * 16);
  args.row_blocks = blocks;
  args.slabs = slabs_of(col_blocks(cols_));
  args.runs = (col_blocks(cols_) + run_blocks_ - 1) / run_blocks_;
  args.run_blocks = run_blocks_;
  args.weight_bits = weight_bits;
  args.planes = words_.as<std::uint32_t>() + plane_words(first, args.slabs);
  args.plane_stride = plane_words(row_blocks(rows_), args.slabs);
  args.scales = scales_[index_of(weight_bits)].as<std::uint8_t>() +
                scale_bytes(first, args.slabs, run_blocks_);
  args.row_scale = row_scale_.as<float>() + first * 16;
}

}  // namespace pbatch::cuda
