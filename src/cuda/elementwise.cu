#include "cuda/elementwise.h"
#include "cuda/items.cuh"

namespace pbatch::cuda {
namespace {

__global__ void elementwise_kernel(const __grid_constant__ ElementwiseArgs args) {
  const int64_t i = item_of_thread();
  if (i < args.count) compute_element(args, i);
}

__global__ void move_kernel(const __grid_constant__ MoveArgs args) {
  const int64_t i = item_of_thread();
  if (i < args.count) move_element(args, i);
}

}  // namespace

Status launch_elementwise(const ElementwiseArgs& args, Stream stream) {
  return launch_items(elementwise_kernel, args, args.count, 1, stream, "computing elements");
}

Status launch_move(const MoveArgs& args, Stream stream) {
  return launch_items(move_kernel, args, args.count, 1, stream, "moving elements");
}

}  // namespace pbatch::cuda
