// A weight matrix in the layout of the kernels (layout.h).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "accelerator/device_buffer.h"
#include "cuda/device.h"

namespace pbatch::cuda {

class Matrix final : public DeviceMatrix {
 public:
  /// See Accelerator::create_matrix().
  static Result<Matrix> create(std::shared_ptr<Device> device, const DeviceMatrixShape& shape,
                               const float* row_scale);

  /// They are rewritten for the kernels.
  Status add_planes(std::span<const std::uint8_t* const> planes) override;
  Status add_scales(int weight_bits, const std::uint8_t* scales) override;
  int planes() const override { return planes_; }
  bool has_scales(int weight_bits) const override;
  const char* repack() const override { return "planes to the GPU's lanes"; }

  const std::shared_ptr<Device>& device() const { return device_; }

  /// Fills in what a product with row blocks first .. first + blocks - 1 has of the matrix. The
  /// width must have planes and scales.
  void fill(int weight_bits, std::int64_t first, std::int64_t blocks, ProductArgs& args) const;

 private:
  explicit Matrix(const DeviceMatrixShape& shape) : DeviceMatrix(shape) {}

  std::shared_ptr<Device> device_;
  int planes_ = 0;
  DeviceBuffer words_, row_scale_;
  std::vector<DeviceBuffer> scales_;  // by weight bits - 1; empty where there are none
};

}  // namespace pbatch::cuda
