// A weight matrix on the device: planes, and scales of the widths in use.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "cuda/device_buffer.h"

namespace pbatch::cuda {

/// Products may run while planes and scales of other widths are added; what adds is for one thread
/// at a time.
class DeviceMatrix {
 public:
  /// Memory for up to `planes` planes, of which there are none yet. `row_scale` [rows], of the
  /// host. run_blocks: blocks of 32 columns in a run: 1, 2 or 4.
  static Result<DeviceMatrix> create(std::shared_ptr<Device> device, std::int64_t rows,
                                     std::int64_t cols, int run_blocks, int planes,
                                     const float* row_scale);

  /// Adds the planes behind those at hand: canonical, each plane_bytes(rows, cols) of host memory.
  /// They are rewritten for the kernels.
  Status add_planes(std::span<const std::uint8_t* const> planes);
  /// The scales of runs at `weight_bits`: [row_blocks][runs][16] of host memory, as kernel.h has
  /// them. Once for each width.
  Status add_scales(int weight_bits, const std::uint8_t* scales);

  std::int64_t rows() const { return rows_; }
  std::int64_t cols() const { return cols_; }
  int run_blocks() const { return run_blocks_; }
  /// Those at hand.
  int planes() const { return planes_; }
  bool has_scales(int weight_bits) const;
  const std::shared_ptr<Device>& device() const { return device_; }

  /// Fills in what a product with row blocks first .. first + blocks - 1 has of the matrix. The
  /// width must have planes and scales.
  void fill(int weight_bits, std::int64_t first, std::int64_t blocks, ProductArgs& args) const;

 private:
  DeviceMatrix() = default;

  std::shared_ptr<Device> device_;
  std::int64_t rows_ = 0, cols_ = 0;
  int run_blocks_ = 1, planes_ = 0;
  DeviceBuffer words_, row_scale_;
  std::vector<DeviceBuffer> scales_;  // by weight bits - 1; empty where there are none
};

}  // namespace pbatch::cuda
