// The kernels of one number of planes: on bits, mma with AND on sm_80 to sm_90 and with XOR on
// sm_75; on bytes, for sm_100 and later and to compare with. product_p<N>.cu makes those of N
// planes.
#pragma once

#include "cuda/b1_slab.h"
#include "cuda/gemm_warp.h"
#include "cuda/i8_slab.h"
#include "cuda/product_kernel.cuh"
#include "cuda/product_table.cuh"

namespace pbatch::cuda {

/// Blocks that a multiprocessor shall hold, which limits registers: more where slabs are soon done.
constexpr int blocks_per_processor(int planes, int run_blocks) {
  return (planes <= 4 ? 4 : 3) - (run_blocks == 1 ? 1 : 0);
}

template <int kPlanes, int kDigits, int kRunBlocks>
__global__ void __launch_bounds__(kMaxWarps* kLanes, blocks_per_processor(kPlanes, kRunBlocks))
    product_b1(const __grid_constant__ ProductArgs args) {
#if PBATCH_SM < 1000
  constexpr bool kXor = PBATCH_SM < 800;
  product_block<B1Multiply<DeviceWarp, kPlanes, kDigits, kRunBlocks, kXor>>(args);
#else
  __trap();  // choose_method takes bytes
#endif
}

template <int kPlanes, int kDigits, int kRunBlocks>
__global__ void __launch_bounds__(kMaxWarps* kLanes, kRunBlocks == 1 ? 2 : 3)
    product_i8(const __grid_constant__ ProductArgs args) {
  product_block<I8Multiply<DeviceWarp, kPlanes, kDigits, kRunBlocks>>(args);
}

/// Blocks are numbered (row block / warps) * splits + part; a part is 64 digits of vectors.
template <int kPlanes, int kDigits, int kRunBlocks>
__global__ void __launch_bounds__(kMaxWarps* kLanes, kPlanes == 8 && kDigits == 1 ? 1 : 2)
    product_gemm(const __grid_constant__ ProductArgs args) {
  DeviceWarp::let_later_work_begin();
  extern __shared__ uint4 shared[];
  const int warp = static_cast<int>(threadIdx.x / kLanes);
  const auto splits = static_cast<uint32_t>(args.splits);
  const int64_t row_block = int64_t{blockIdx.x / splits} * (blockDim.x / kLanes) + warp;
  if (row_block >= args.row_blocks) return;
  DeviceWarp::Ring<ring_stages(kPlanes) * kPlanes> ring(
      shared + warp * static_cast<int>(ring_bytes(kPlanes) / sizeof(uint4)));
  GemmWarp<DeviceWarp, kPlanes, kDigits, kRunBlocks>::run(
      args, row_block, static_cast<int>(blockIdx.x % splits) * kGemmColumns, ring);
}

template <int kPlanes, int kDigits, int kRunBlocks>
ProductKernel product_of(Method method) {
  switch (method) {
    case Method::bits:
      return product_b1<kPlanes, kDigits, kRunBlocks>;
    case Method::bytes:
      return product_i8<kPlanes, kDigits, kRunBlocks>;
    default:
      return product_gemm<kPlanes, kDigits, kRunBlocks>;
  }
}

template <int kPlanes, int kDigits>
ProductKernel product_of(Method method, int run_blocks) {
  switch (run_blocks) {
    case 1:
      return product_of<kPlanes, kDigits, 1>(method);
    case 2:
      return product_of<kPlanes, kDigits, 2>(method);
    default:
      return product_of<kPlanes, kDigits, 4>(method);
  }
}

#define PBATCH_PRODUCT_KERNELS(planes)                                         \
  ProductKernel product_p##planes(Method method, int digits, int run_blocks) { \
    return digits == 1 ? product_of<planes, 1>(method, run_blocks)             \
                       : product_of<planes, 2>(method, run_blocks);            \
  }

}  // namespace pbatch::cuda
