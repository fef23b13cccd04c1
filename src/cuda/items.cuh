// Launches with one thread, or one warp, for each item of some work.
#pragma once

#include "cuda/launch_kernel.cuh"

namespace pbatch::cuda {

inline constexpr int kItemThreads = 256;  ///< of a block

/// The item of this thread. Called first.
__device__ __forceinline__ int64_t item_of_thread() {
  follow_earlier_work();
  return int64_t{blockIdx.x} * kItemThreads + threadIdx.x;
}
/// The item of this warp. Called first.
__device__ __forceinline__ int64_t item_of_warp() { return item_of_thread() / kLanes; }

/// kernel(args) for `items` items of `threads` threads each, 1 or kLanes.
template <class Args>
Status launch_items(void (*kernel)(Args), const Args& args, std::int64_t items, int threads,
                    Stream stream, const char* doing) {
  if (items == 0) return Status::ok();
  const std::int64_t blocks = (items * threads + kItemThreads - 1) / kItemThreads;
  return launch_kernel(kernel, static_cast<unsigned>(blocks), kItemThreads, 0, args, stream, doing);
}

}  // namespace pbatch::cuda
