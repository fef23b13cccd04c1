// A CUDA error as a Status.
#pragma once

#include <cuda_runtime.h>

#include "pbatch/status.h"

namespace pbatch::cuda {

/// `doing` completes "the GPU failed while ...".
Status status_of(cudaError_t error, const char* doing);

#define PBATCH_CUDA_CALL(call, doing) \
  PBATCH_RETURN_IF_ERROR(::pbatch::cuda::status_of((call), (doing)))

}  // namespace pbatch::cuda
