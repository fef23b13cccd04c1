// A weight matrix on a device: planes, and scales of the widths in use, laid out as its kernels
// like.
#pragma once

#include <cstdint>
#include <span>

#include "pbatch/status.h"

namespace pbatch {

struct DeviceMatrixShape {
  std::int64_t rows = 0, cols = 0;
  int run_blocks = 1;  ///< blocks of 32 columns in a run: 1, 2 or 4
  int planes = 0;      ///< the most that there will be
};

/// Products may run while planes and scales of other widths are added; what adds is for one thread
/// at a time.
class DeviceMatrix {
 public:
  virtual ~DeviceMatrix() = default;

  /// Adds the planes behind those at hand: canonical, each plane_bytes(rows, cols) of host memory.
  virtual Status add_planes(std::span<const std::uint8_t* const> planes) = 0;
  /// The scales of runs at `weight_bits`: [row_blocks][runs][16] of host memory, as kernel.h has
  /// them. Once for each width.
  virtual Status add_scales(int weight_bits, const std::uint8_t* scales) = 0;

  std::int64_t rows() const { return shape_.rows; }
  std::int64_t cols() const { return shape_.cols; }
  int run_blocks() const { return shape_.run_blocks; }
  /// Those at hand.
  virtual int planes() const = 0;
  virtual bool has_scales(int weight_bits) const = 0;
  /// What was done to the planes, as PlanStep::repack says it.
  virtual const char* repack() const = 0;

 protected:
  explicit DeviceMatrix(const DeviceMatrixShape& shape) : shape_(shape) {}
  DeviceMatrix(DeviceMatrix&&) = default;
  DeviceMatrix& operator=(DeviceMatrix&&) = default;

 private:
  DeviceMatrixShape shape_;
};

}  // namespace pbatch
