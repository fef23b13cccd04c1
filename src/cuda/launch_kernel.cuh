// How kernels are launched. From compute capability 9.0 on a kernel may begin while the one before
// it on its stream ends: it reads and writes nothing that others write before it has called
// wait_for_earlier_work(), and lets its successor begin as early. So what a launch costs, and the
// first weights' way from memory, pass beside the end of the kernel before. Not so repack.cu's,
// which makes the planes that products read before they wait.
#pragma once

#include <cuda_runtime.h>

#include "cuda/check.cuh"
#include "cuda/cuda_stream.cuh"
#include "cuda/device_warp.cuh"
#include "cuda/launch.h"

namespace pbatch::cuda {

/// At the beginning of a kernel that reads nothing but what earlier kernels wrote.
__device__ __forceinline__ void follow_earlier_work() {
  DeviceWarp::let_later_work_begin();
  DeviceWarp::wait_for_earlier_work();
}

template <class Args>
Status launch_kernel(void (*kernel)(Args), const dim3& grid, int threads, std::int64_t shared_bytes,
                     const Args& args, Stream stream, const char* doing) {
  int device = 0, major = 0;
  PBATCH_CUDA_CALL(cudaGetDevice(&device), doing);
  PBATCH_CUDA_CALL(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device),
                   doing);
  cudaLaunchAttribute early = {};
  early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  early.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = dim3(static_cast<unsigned>(threads));
  config.dynamicSmemBytes = static_cast<std::size_t>(shared_bytes);
  config.stream = cuda_stream(stream);
  config.attrs = &early;
  config.numAttrs = major >= 9 ? 1 : 0;
  return status_of(cudaLaunchKernelEx(&config, kernel, args), doing);
}

}  // namespace pbatch::cuda
