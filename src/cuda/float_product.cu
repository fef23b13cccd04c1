#include "cuda/float_product.h"
#include "cuda/items.cuh"

namespace pbatch::cuda {
namespace {

__global__ void __launch_bounds__(kItemThreads)
    float_product_kernel(const __grid_constant__ FloatProductArgs args) {
  const int64_t item = item_of_warp();
  if (item < args.rows * args.batch) float_product_row<DeviceWarp>(args, item);
}

}  // namespace

Status launch_float_product(const FloatProductArgs& args, Stream stream) {
  return launch_items(float_product_kernel, args, args.rows * args.batch, kLanes, stream,
                      "multiplying floats");
}

}  // namespace pbatch::cuda
