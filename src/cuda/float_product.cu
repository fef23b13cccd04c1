#include "cuda/launch_kernel.cuh"

namespace pbatch::cuda {
namespace {

constexpr int kWarps = 8;  // of a block

__global__ void __launch_bounds__(kWarps* kLanes)
    float_product_kernel(const __grid_constant__ FloatProductArgs args) {
  follow_earlier_work();
  const int64_t item = int64_t{blockIdx.x} * kWarps + threadIdx.x / kLanes;
  if (item < args.rows * args.batch) float_product_row<DeviceWarp>(args, item);
}

}  // namespace

Status launch_float_product(const FloatProductArgs& args, Stream stream) {
  const std::int64_t blocks = (args.rows * args.batch + kWarps - 1) / kWarps;
  if (blocks == 0) return Status::ok();
  return launch_kernel(float_product_kernel, static_cast<unsigned>(blocks), kWarps * kLanes, 0,
                       args, stream, "multiplying floats");
}

}  // namespace pbatch::cuda
