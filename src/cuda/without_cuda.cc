// open_device() of a build without CUDA. With it, cuda_device.cu and the kernels stand in.
#if !defined(PBATCH_CUDA)
#include "cuda/device.h"

namespace pbatch::cuda {

Result<std::shared_ptr<Device>> open_device(int) {
  return Status(ErrorCode::unsupported, "this build of pbatch has no GPU kernels",
                "build it with cmake --preset cuda, or run on the CPU");
}

}  // namespace pbatch::cuda
#endif
