// The frame of a product: which warp does what, and where they meet.
#pragma once

#include "cuda/device_warp.cuh"
#include "cuda/product_block.h"

namespace pbatch::cuda {

/// One block: a row block, or one of args.splits parts of its columns; blocks are numbered
/// row_block * splits + part. Dynamic shared memory: the rings of all warps, then the terms unless
/// args.terms is there.
template <class Multiply>
__device__ __forceinline__ void product_block(const ProductArgs& args) {
  constexpr int kPlanes = Multiply::kPlanes;
  DeviceWarp::let_later_work_begin();
  extern __shared__ uint4 shared[];
  const int warp = static_cast<int>(threadIdx.x / kLanes);
  const int warps = static_cast<int>(blockDim.x / kLanes);
  const int64_t row_block = blockIdx.x / static_cast<uint32_t>(args.splits);
  const int part = static_cast<int>(blockIdx.x % static_cast<uint32_t>(args.splits));
  constexpr int kRingVectors = static_cast<int>(ring_bytes(kPlanes) / sizeof(uint4));
  float* const terms = args.terms != nullptr
                           ? args.terms + row_block * term_floats(args)
                           : reinterpret_cast<float*>(shared + warps * kRingVectors);
  DeviceWarp::Ring<ring_stages(kPlanes) * kPlanes> ring(shared + warp * kRingVectors);
  multiply_slabs<DeviceWarp, Multiply>(
      args, row_block, slab_range(args.slabs, part, args.splits, warp, warps), ring, terms);

  if (args.splits > 1) {
    // The block that comes last finds the terms of all others.
    __shared__ uint32_t others;
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) others = atomicAdd(&args.arrivals[row_block], 1u);
    __syncthreads();
    if (others + 1 != static_cast<uint32_t>(args.splits)) return;
    __threadfence();
    if (threadIdx.x == 0) args.arrivals[row_block] = 0;
  } else {
    __syncthreads();
  }
  for (int first = warp * kLanes; first < args.batch * 16; first += warps * kLanes) {
    finish_rows<DeviceWarp>(args, row_block, terms, first);
  }
}

}  // namespace pbatch::cuda
