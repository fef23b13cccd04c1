// Quantizing on the device: every block finds the largest magnitude of its whole vector, which
// costs less than waiting for other blocks, and packs some of its slabs.
#include "cuda/check.cuh"
#include "cuda/device_warp.cuh"
#include "cuda/runtime.h"

namespace pbatch::cuda {
namespace {

constexpr int kWarps = 32;  // of a block; each packs one slab

template <int kBits, Method kMethod>
__global__ void __launch_bounds__(kWarps* kLanes)
    quantize_kernel(const __grid_constant__ QuantizeArgs args) {
  __shared__ uint32_t of_warps[kWarps];
  const int warp = static_cast<int>(threadIdx.x / kLanes);
  const int64_t vector = blockIdx.y;
  const float* const x = args.x + vector * args.ldx;
  const uint32_t mine = largest_magnitude<DeviceWarp>(x, args.cols, warp * kLanes, kWarps * kLanes);
  if (DeviceWarp::lane() == 0) of_warps[warp] = mine;
  __syncthreads();
  const VectorScale scale =
      vector_scale<DeviceWarp>(largest_of_lanes<DeviceWarp>(of_warps[DeviceWarp::lane()]), kBits);
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    args.activation_scales[vector] = scale.scale;
    if (!scale.is_finite) *args.not_finite = 1;
  }
  const int64_t slab = int64_t{blockIdx.x} * kWarps + warp;
  if (slab >= args.slabs) return;
  uint32_t* const activations = args.activations + vector * activation_words(args.slabs, kBits);
  int32_t* const run_sums =
      args.run_sums + vector * halves_of(kBits) * args.slabs * slab_runs(args.run_blocks);
  if constexpr (kMethod == Method::bits) {
    quantize_slab_to_bits<DeviceWarp, kBits>(x, args.cols, args.slabs, slab, args.run_blocks,
                                             scale.inverse, activations, run_sums);
  } else {
    quantize_slab_to_bytes<DeviceWarp, kBits>(x, args.cols, args.slabs, slab, args.run_blocks,
                                              scale.inverse, activations, run_sums);
  }
}

template <int kBits>
void launch(const QuantizeArgs& args, Method method, Stream stream) {
  const dim3 grid(static_cast<unsigned>((args.slabs + kWarps - 1) / kWarps),
                  static_cast<unsigned>(args.batch));
  if (method == Method::bits) {
    quantize_kernel<kBits, Method::bits><<<grid, kWarps * kLanes, 0, stream>>>(args);
  } else {
    quantize_kernel<kBits, Method::bytes><<<grid, kWarps * kLanes, 0, stream>>>(args);
  }
}

}  // namespace

Status launch_quantize(const QuantizeArgs& args, Method method, Stream stream) {
  if (args.slabs == 0 || args.batch == 0) return Status::ok();
  switch (args.activation_bits) {
    case 8:
      launch<8>(args, method, stream);
      break;
    case 16:
      launch<16>(args, method, stream);
      break;
    default:
      launch<32>(args, method, stream);
      break;
  }
  return status_of(cudaGetLastError(), "quantizing activations");
}

}  // namespace pbatch::cuda
