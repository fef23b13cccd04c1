// The CUDA stream that a Stream of this device is.
#pragma once

#include <cuda_runtime.h>

#include "accelerator/stream.h"

namespace pbatch::cuda {

inline cudaStream_t cuda_stream(Stream stream) { return reinterpret_cast<cudaStream_t>(stream); }

}  // namespace pbatch::cuda
