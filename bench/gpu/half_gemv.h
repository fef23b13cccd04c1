#pragma once

#include <cuda_fp16.h>
#include <cuda_runtime.h>

namespace pbatch::bench {

/// y = W x as plainly as bandwidth allows: a warp for each row, 16 bytes a lane, sums in float32.
/// W: [rows][cols], cols a multiple of 8, aligned to 16 bytes.
cudaError_t launch_half_gemv(const __half* weights, const __half* x, float* y, int rows, int cols,
                             cudaStream_t stream);

}  // namespace pbatch::bench
