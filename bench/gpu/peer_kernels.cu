#include <cuda_fp16.h>

#include "bench/gpu/peer_kernels.h"

namespace pbatch::bench {
namespace {

constexpr int kThreads = 256;

__device__ __forceinline__ float sum_at(const void* sums, PeerType type, const float* x_scale,
                                        float w_scale, int vector, int64_t at) {
  if (type == PeerType::int8) {
    return static_cast<float>(static_cast<const int*>(sums)[at]) * (x_scale[vector] * w_scale);
  }
  if (type == PeerType::float16) return __half2float(static_cast<const __half*>(sums)[at]);
  return static_cast<const float*>(sums)[at];
}

__global__ void finish_kernel(const __grid_constant__ FinishArgs a) {
  const int row = blockIdx.x * kThreads + threadIdx.x, vector = blockIdx.y;
  if (row >= a.rows) return;
  const int64_t at = int64_t{vector} * a.rows + row;
  float y = sum_at(a.sums, a.type, a.x_scale, a.w_scale, vector, at) + a.bias[row];
  if (a.relu) y = y < 0 ? 0 : y;
  if (a.halves) {
    static_cast<__half*>(a.y)[at] = __float2half(y);
  } else {
    static_cast<float*>(a.y)[at] = y;
  }
}

__global__ void quantize_kernel(const float* x, signed char* q, float* x_scale, int cols) {
  __shared__ float of_warps[kThreads / 32];
  const float* const mine = x + int64_t{blockIdx.x} * cols;
  float largest = 0;
  for (int col = threadIdx.x; col < cols; col += kThreads) {
    largest = fmaxf(largest, fabsf(mine[col]));
  }
  for (int mask = 16; mask > 0; mask /= 2) {
    largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, mask));
  }
  if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = largest;
  __syncthreads();
  for (int warp = 0; warp < kThreads / 32; ++warp) largest = fmaxf(largest, of_warps[warp]);
  const float inverse = largest > 0 ? 127.0f / largest : 0.0f;
  for (int col = threadIdx.x; col < cols; col += kThreads) {
    q[int64_t{blockIdx.x} * cols + col] =
        static_cast<signed char>(__float2int_rn(mine[col] * inverse));
  }
  if (threadIdx.x == 0) x_scale[blockIdx.x] = largest / 127.0f;
}

__device__ __forceinline__ float sigmoid(float x) { return 1.0f / (1.0f + __expf(-x)); }

__global__ void lstm_kernel(const __grid_constant__ LstmArgs a) {
  const int unit = blockIdx.x * kThreads + threadIdx.x, vector = blockIdx.y;
  if (unit >= a.units) return;
  float gate[4];
  for (int g = 0; g < 4; ++g) {
    const int64_t at = (int64_t{vector} * 4 + g) * a.units + unit;
    gate[g] = a.input[at] + sum_at(a.sums, a.type, a.x_scale, a.w_scale, vector, at);
  }
  const int64_t at = int64_t{vector} * a.units + unit;
  const float c = sigmoid(gate[2]) * a.c[at] + sigmoid(gate[0]) * tanhf(gate[3]);
  const float h = sigmoid(gate[1]) * tanhf(c);
  a.c[at] = c;
  a.h[at] = h;
  if (a.half_h != nullptr) static_cast<__half*>(a.half_h)[at] = __float2half(h);
}

dim3 grid_for(int count, int batch) {
  return dim3(static_cast<unsigned>((count + kThreads - 1) / kThreads),
              static_cast<unsigned>(batch));
}

}  // namespace

cudaError_t launch_finish(const FinishArgs& args, cudaStream_t stream) {
  finish_kernel<<<grid_for(args.rows, args.batch), kThreads, 0, stream>>>(args);
  return cudaGetLastError();
}

cudaError_t launch_quantize_int8(const float* x, signed char* q, float* x_scale, int cols,
                                 int batch, cudaStream_t stream) {
  quantize_kernel<<<static_cast<unsigned>(batch), kThreads, 0, stream>>>(x, q, x_scale, cols);
  return cudaGetLastError();
}

cudaError_t launch_lstm_cells(const LstmArgs& args, cudaStream_t stream) {
  lstm_kernel<<<grid_for(args.units, args.batch), kThreads, 0, stream>>>(args);
  return cudaGetLastError();
}

}  // namespace pbatch::bench
