#include "cuda/device.h"

#include "cuda/product.h"
#include "layout/layout.h"

namespace pbatch::cuda {

Result<std::unique_ptr<DeviceMatrix>> Device::create_matrix(const DeviceMatrixShape& shape,
                                                            const float* row_scale) {
  PBATCH_ASSIGN_OR_RETURN(Matrix matrix, Matrix::create(shared_from_this(), shape, row_scale));
  return std::unique_ptr<DeviceMatrix>(std::make_unique<Matrix>(std::move(matrix)));
}

Result<std::unique_ptr<DeviceProduct>> Device::create_product(const DeviceMatrix& matrix,
                                                              const ProductSettings& settings,
                                                              std::uint32_t* flag) {
  const Method method =
      choose_method({matrix.rows(), matrix.cols(), matrix.run_blocks(), settings.weight_bits,
                     settings.activation_bits, settings.batch},
                    limits_);
  PBATCH_ASSIGN_OR_RETURN(
      Product product, Product::create(static_cast<const Matrix&>(matrix), settings, method, flag));
  return std::unique_ptr<DeviceProduct>(std::make_unique<Product>(std::move(product)));
}

Status Device::step(const RecurrentStepArgs& args, const NextProduct& next, Stream stream) {
  StepArgs all = {};
  static_cast<RecurrentStepArgs&>(all) = args;
  if (next.product != nullptr) {
    const Product& product = static_cast<const Product&>(*next.product);
    all.quantizes = true;
    all.quantize = product.quantize_args(next.x, next.ldx);
    all.method = product.plan().method;
  }
  return queue_step(all, stream);
}

Status Device::gather_rows(const GatherRowsArgs& args, const DeviceMatrix* table, int weight_bits,
                           Stream stream) {
  GatherArgs all = {};
  static_cast<GatherRowsArgs&>(all) = args;
  if (table != nullptr) {
    static_cast<const Matrix*>(table)->fill(weight_bits, 0, row_blocks(table->rows()), all.table);
  }
  return queue_gather(all, stream);
}

}  // namespace pbatch::cuda

namespace pbatch {

/// The line `cuda` of device/devices.inc.
Result<std::shared_ptr<Accelerator>> open_cuda(int index);

Result<std::shared_ptr<Accelerator>> open_cuda(int index) {
  PBATCH_ASSIGN_OR_RETURN(std::shared_ptr<cuda::Device> device, cuda::open_device(index));
  return std::shared_ptr<Accelerator>(std::move(device));
}

}  // namespace pbatch
