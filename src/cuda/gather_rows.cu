#include "cuda/items.cuh"

namespace pbatch::cuda {
namespace {

__global__ void gather_rows_kernel(const __grid_constant__ GatherArgs args) {
  const int64_t i = item_of_thread();
  if (i < args.count * args.cols) gather_element(args, i);
}

}  // namespace

Status launch_gather_rows(const GatherArgs& args, Stream stream) {
  return launch_items(gather_rows_kernel, args, args.count * args.cols, 1, stream,
                      "reading rows of a table");
}

}  // namespace pbatch::cuda
