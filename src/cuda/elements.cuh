// Launches with one thread for each element.
#pragma once

#include "cuda/launch_kernel.cuh"

namespace pbatch::cuda {

inline constexpr int kElementThreads = 256;

/// The number of this thread. Called first.
__device__ __forceinline__ int64_t element_number() {
  follow_earlier_work();
  return int64_t{blockIdx.x} * kElementThreads + threadIdx.x;
}

/// kernel(args) for `count` elements.
template <class Args>
Status launch_elements(void (*kernel)(Args), const Args& args, std::int64_t count, Stream stream,
                       const char* doing) {
  if (count == 0) return Status::ok();
  const std::int64_t blocks = (count + kElementThreads - 1) / kElementThreads;
  return launch_kernel(kernel, static_cast<unsigned>(blocks), kElementThreads, 0, args, stream,
                       doing);
}

}  // namespace pbatch::cuda
