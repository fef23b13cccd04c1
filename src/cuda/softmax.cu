#include "cuda/launch_kernel.cuh"

namespace pbatch::cuda {
namespace {

constexpr int kWarps = 8;  // of a block

__global__ void __launch_bounds__(kWarps* kLanes)
    softmax_kernel(const __grid_constant__ SoftmaxArgs args) {
  follow_earlier_work();
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / kLanes;
  if (row < args.rows) softmax_row<DeviceWarp>(args, row);
}

}  // namespace

Status launch_softmax(const SoftmaxArgs& args, Stream stream) {
  if (args.rows == 0 || args.cols == 0) return Status::ok();
  const std::int64_t blocks = (args.rows + kWarps - 1) / kWarps;
  return launch_kernel(softmax_kernel, static_cast<unsigned>(blocks), kWarps * kLanes, 0, args,
                       stream, "computing a softmax");
}

}  // namespace pbatch::cuda
