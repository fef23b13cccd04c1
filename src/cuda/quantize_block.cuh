// Quantizing by a block of threads.
#pragma once

#include "cuda/device_warp.cuh"
#include "cuda/product_plan.h"
#include "cuda/quantize_vector.h"

namespace pbatch::cuda {

/// Warps of a block.
inline constexpr int kQuantizeWarps = 32;

/// Finds the scale of a vector and packs its slabs first, first + kQuantizeWarps, ... below `last`
/// of this warp. All threads of the block call it; those of one block for a vector write its scale.
template <int kBits, Method kMethod>
__device__ __forceinline__ void quantize_by_block(const QuantizeArgs& args, int64_t vector,
                                                  int64_t first, int64_t last, bool writes_scale) {
  __shared__ uint32_t of_warps[kQuantizeWarps];
  const int warp = static_cast<int>(threadIdx.x / kLanes);
  const float* const x = args.x + vector * args.ldx;
  const uint32_t mine =
      largest_magnitude<DeviceWarp>(x, args.cols, warp * kLanes, kQuantizeWarps * kLanes);
  if (DeviceWarp::lane() == 0) of_warps[warp] = mine;
  __syncthreads();
  const VectorScale scale =
      vector_scale<DeviceWarp>(largest_of_lanes<DeviceWarp>(of_warps[DeviceWarp::lane()]), kBits);
  if (writes_scale && threadIdx.x == 0) {
    args.activation_scales[vector] = scale.scale;
    if (!scale.is_finite) *args.flag = kFlagNotFinite;
  }
  uint32_t* const activations = args.activations + vector * activation_words(args.slabs, kBits);
  int32_t* const run_sums =
      args.run_sums + vector * halves_of(kBits) * args.slabs * slab_runs(args.run_blocks);
  for (int64_t slab = first + warp; slab < last; slab += kQuantizeWarps) {
    if constexpr (kMethod == Method::bits) {
      quantize_slab_to_bits<DeviceWarp, kBits>(x, args.cols, args.slabs, slab, args.run_blocks,
                                               scale.inverse, activations, run_sums);
    } else {
      quantize_slab_to_bytes<DeviceWarp, kBits>(x, args.cols, args.slabs, slab, args.run_blocks,
                                                scale.inverse, activations, run_sums);
    }
  }
}

}  // namespace pbatch::cuda
