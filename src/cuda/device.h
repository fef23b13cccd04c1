// An accelerator by the kernels of this folder: planes in lanes, products that are cut into slabs.
// There are two: an NVIDIA GPU (open_device) and, in the tests, one that emulates its kernels on
// the host.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "accelerator/accelerator.h"
#include "cuda/gather_rows.h"
#include "cuda/product_args.h"
#include "cuda/product_plan.h"
#include "cuda/quantize_vector.h"
#include "cuda/recurrent_step.h"

namespace pbatch::cuda {

/// Owned by a shared_ptr: its matrices and products hold it.
class Device : public Accelerator, public std::enable_shared_from_this<Device> {
 public:
  const DeviceLimits& limits() const { return limits_; }

  Result<std::unique_ptr<DeviceMatrix>> create_matrix(const DeviceMatrixShape& shape,
                                                      const float* row_scale) final;
  /// With choose_method()'s method.
  Result<std::unique_ptr<DeviceProduct>> create_product(const DeviceMatrix& matrix,
                                                        const ProductSettings& settings,
                                                        std::uint32_t* flag) final;
  Status step(const RecurrentStepArgs& args, const NextProduct& next, Stream stream) final;
  Status gather_rows(const GatherRowsArgs& args, const DeviceMatrix* table, int weight_bits,
                     Stream stream) final;

  // Kernels; all are queued.

  /// Rewrites a plane, in device memory, from the canonical order (repack.h): `plane` [row_blocks]
  /// [col_blocks][64] bytes, `out` plane_words() words.
  virtual Status repack_plane(const std::uint8_t* plane, std::int64_t row_blocks,
                              std::int64_t col_blocks, std::uint32_t* out, Stream stream) = 0;
  /// Quantizes and packs for the method.
  virtual Status quantize(const QuantizeArgs& args, Method method, Stream stream) = 0;
  /// Multiplies, with a plan made for the shape of `args` and this device.
  virtual Status multiply(const ProductArgs& args, const ProductPlan& plan, Stream stream) = 0;
  virtual Status queue_step(const StepArgs& args, Stream stream) = 0;
  virtual Status queue_gather(const GatherArgs& args, Stream stream) = 0;

 protected:
  Device(const DeviceLimits& limits, std::string name)
      : Accelerator(std::move(name)), limits_(limits) {}

 private:
  const DeviceLimits limits_;
};

/// The GPU `index`. unsupported: this build has no GPU kernels, there is no driver, no such device,
/// or it is older than compute capability 7.5.
Result<std::shared_ptr<Device>> open_device(int index);

}  // namespace pbatch::cuda
