#include "bench/gpu/half_gemv.h"

namespace pbatch::bench {
namespace {

constexpr int kWarps = 4;

__device__ __forceinline__ float dot(uint4 a, uint4 b, float sum) {
  const __half2* const x = reinterpret_cast<const __half2*>(&a);
  const __half2* const y = reinterpret_cast<const __half2*>(&b);
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float2 p = __half22float2(x[i]), q = __half22float2(y[i]);
    sum += p.x * q.x + p.y * q.y;
  }
  return sum;
}

__global__ void half_gemv(const uint4* weights, const uint4* x, float* y, int rows, int eights) {
  const int row = blockIdx.x * kWarps + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (row >= rows) return;
  const uint4* const mine = weights + static_cast<size_t>(row) * eights;
  float sum = 0;
#pragma unroll 8
  for (int i = lane; i < eights; i += 32) sum = dot(mine[i], x[i], sum);
#pragma unroll
  for (int mask = 16; mask > 0; mask /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, mask);
  if (lane == 0) y[row] = sum;
}

}  // namespace

cudaError_t launch_half_gemv(const __half* weights, const __half* x, float* y, int rows, int cols,
                             cudaStream_t stream) {
  half_gemv<<<(rows + kWarps - 1) / kWarps, kWarps * 32, 0, stream>>>(
      reinterpret_cast<const uint4*>(weights), reinterpret_cast<const uint4*>(x), y, rows,
      cols / 8);
  return cudaGetLastError();
}

}  // namespace pbatch::bench
