// A weight matrix on the device: planes, and scales of the widths in use.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cuda/device_buffer.h"

namespace pbatch::cuda {

/// Belongs to the device that was this thread's when it was made. Immutable but for add_scales,
/// which no product may meet.
class DeviceMatrix {
 public:
  /// Copies planes (canonical, most significant first, each plane_bytes(rows, cols) of host memory)
  /// and row_scale [rows], and rewrites the planes for the kernels. run_blocks: blocks of 32
  /// columns in a run: 1, 2 or 4.
  static Result<DeviceMatrix> upload(std::int64_t rows, std::int64_t cols, int run_blocks,
                                     std::span<const std::uint8_t* const> planes,
                                     const float* row_scale);

  /// The scales of runs at `weight_bits`: [row_blocks][runs][16] of host memory, as kernel.h has
  /// them. Replaces those of this width.
  Status add_scales(int weight_bits, const std::uint8_t* scales);

  std::int64_t rows() const { return rows_; }
  std::int64_t cols() const { return cols_; }
  int run_blocks() const { return run_blocks_; }
  int planes() const { return planes_; }
  /// Device memory in use.
  std::int64_t bytes() const;

  /// Fills in what a product of this matrix has of it. The width must have scales.
  void fill(int weight_bits, ProductArgs& args) const;

 private:
  DeviceMatrix() = default;

  std::int64_t rows_ = 0, cols_ = 0;
  int run_blocks_ = 1, planes_ = 0;
  DeviceBuffer words_, row_scale_;
  std::vector<DeviceBuffer> scales_;  // by weight bits - 1; empty where there are none
};

}  // namespace pbatch::cuda
