#include "cuda/items.cuh"
#include "cuda/softmax.h"

namespace pbatch::cuda {
namespace {

__global__ void __launch_bounds__(kItemThreads)
    softmax_kernel(const __grid_constant__ SoftmaxArgs args) {
  const int64_t row = item_of_warp();
  if (row < args.rows) softmax_row<DeviceWarp>(args, row);
}

}  // namespace

Status launch_softmax(const SoftmaxArgs& args, Stream stream) {
  if (args.cols == 0) return Status::ok();
  return launch_items(softmax_kernel, args, args.rows, kLanes, stream, "computing a softmax");
}

}  // namespace pbatch::cuda
