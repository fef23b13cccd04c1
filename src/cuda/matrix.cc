#include "cuda/matrix.h"

#include <algorithm>
#include <utility>

#include "cuda/repack.h"
#include "layout/layout.h"

namespace pbatch::cuda {
namespace {

constexpr std::size_t kWidths = 16;

std::size_t index_of(int weight_bits) { return static_cast<std::size_t>(weight_bits - 1); }

}  // namespace

Result<Matrix> Matrix::create(std::shared_ptr<Device> device, const DeviceMatrixShape& shape,
                              const float* row_scale) {
  Matrix matrix(shape);
  matrix.scales_.resize(kWidths);
  const std::int64_t words = plane_words(row_blocks(shape.rows), slabs_of(col_blocks(shape.cols)));
  PBATCH_ASSIGN_OR_RETURN(matrix.words_, DeviceBuffer::allocate(device, words * 4 * shape.planes));
  PBATCH_ASSIGN_OR_RETURN(matrix.row_scale_,
                          DeviceBuffer::copy_of(device, row_scale, shape.rows * 4));
  matrix.device_ = std::move(device);
  return matrix;
}

Status Matrix::add_planes(std::span<const std::uint8_t* const> planes) {
  const std::int64_t rbs = row_blocks(rows()), cbs = col_blocks(cols());
  const std::int64_t words = plane_words(rbs, slabs_of(cbs));
  PBATCH_ASSIGN_OR_RETURN(const DeviceBuffer canonical,
                          DeviceBuffer::allocate(device_, plane_bytes(rows(), cols())));
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

Status Matrix::add_scales(int weight_bits, const std::uint8_t* scales) {
  const std::int64_t rbs = row_blocks(rows()), cbs = col_blocks(cols());
  std::vector<std::uint8_t> ordered(
      static_cast<std::size_t>(scale_bytes(rbs, slabs_of(cbs), run_blocks())));
  repack_scales(scales, rbs, cbs, run_blocks(), ordered.data());
  PBATCH_ASSIGN_OR_RETURN(
      scales_[index_of(weight_bits)],
      DeviceBuffer::copy_of(device_, ordered.data(), static_cast<std::int64_t>(ordered.size())));
  return Status::ok();
}

bool Matrix::has_scales(int weight_bits) const {
  return scales_[index_of(weight_bits)].bytes() > 0;
}

void Matrix::fill(int weight_bits, std::int64_t first, std::int64_t blocks,
                  ProductArgs& args) const {
  args.rows = std::min(rows() - first * 16, blocks * 16);
  args.row_blocks = blocks;
  args.slabs = slabs_of(col_blocks(cols()));
  args.runs = (col_blocks(cols()) + run_blocks() - 1) / run_blocks();
  args.run_blocks = run_blocks();
  args.weight_bits = weight_bits;
  args.planes = words_.as<std::uint32_t>() + plane_words(first, args.slabs);
  args.plane_stride = plane_words(row_blocks(rows()), args.slabs);
  args.scales = scales_[index_of(weight_bits)].as<std::uint8_t>() +
                scale_bytes(first, args.slabs, run_blocks());
  args.row_scale = row_scale_.as<float>() + first * 16;
}

}  // namespace pbatch::cuda
