// The kernels of one number of planes: on bits, mma with AND on sm_80 to sm_90 and with XOR on
// sm_75; on bytes, for sm_100 and later and to compare with. product_p<N>.cu makes those of N
// planes.
#pragma once

#include "cuda/b1_slab.h"
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
__global__ void __launch_bounds__(kMaxWarps* kLanes, blocks_per_processor(kPlanes, kRunBlocks))
    product_i8(const __grid_constant__ ProductArgs args) {
  product_block<I8Multiply<DeviceWarp, kPlanes, kDigits, kRunBlocks>>(args);
}

template <int kPlanes, int kDigits>
ProductKernel product_of(Method method, int run_blocks) {
  const bool bits = method == Method::bits;
  switch (run_blocks) {
    case 1:
      return bits ? product_b1<kPlanes, kDigits, 1> : product_i8<kPlanes, kDigits, 1>;
    case 2:
      return bits ? product_b1<kPlanes, kDigits, 2> : product_i8<kPlanes, kDigits, 2>;
    default:
      return bits ? product_b1<kPlanes, kDigits, 4> : product_i8<kPlanes, kDigits, 4>;
  }
}

#define PBATCH_PRODUCT_KERNELS(planes)                                         \
  ProductKernel product_p##planes(Method method, int digits, int run_blocks) { \
    return digits == 1 ? product_of<planes, 1>(method, run_blocks)             \
                       : product_of<planes, 2>(method, run_blocks);            \
  }

}  // namespace pbatch::cuda
