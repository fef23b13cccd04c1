// A product with a matrix of bit-layers, held open on a device: what it needs besides the matrix,
// taken once.
#pragma once

#include <cstdint>

#include "accelerator/stream.h"
#include "kernel/epilogue.h"
#include "pbatch/status.h"

namespace pbatch {

struct ProductSettings {
  int weight_bits = 4;           ///< the matrix has planes and scales for them
  int activation_bits = 16;      ///< 8, 16 or 32
  int batch = 1;                 ///< vectors, to 4096
  std::int64_t first_block = 0;  ///< of the matrix's blocks of 16 rows, those that are multiplied
  std::int64_t blocks = -1;      ///< -1: all from first_block on
};

struct ProductOutput {
  float* y = nullptr;  ///< device memory, [batch][ldy], rows of each
  std::int64_t ldy = 0;
  const float* bias = nullptr;  ///< device memory, [rows] or null
  Activation activation = Activation::none;
};

/// quantize() and multiply() only queue work, so they can be recorded. One at a time: memory is
/// shared by the calls. Results are those of the CPU's kernels, to the bit.
class DeviceProduct {
 public:
  virtual ~DeviceProduct() = default;

  /// As PlanStep::kernel names it.
  virtual const char* kernel() const = 0;
  /// x, device memory, [batch][ldx], cols of each, for the next multiply().
  virtual Status quantize(const float* x, std::int64_t ldx, Stream stream) const = 0;
  /// y = W x of the vectors quantized last.
  virtual Status multiply(const ProductOutput& out, Stream stream) const = 0;

 protected:
  DeviceProduct() = default;
  DeviceProduct(DeviceProduct&&) = default;
  DeviceProduct& operator=(DeviceProduct&&) = default;
};

/// What a recurrent step leaves quantized.
struct NextProduct {
  const DeviceProduct* product = nullptr;  ///< null: nothing
  const float* x = nullptr;                ///< as DeviceProduct::quantize() has it
  std::int64_t ldx = 0;
};

}  // namespace pbatch
