// Quantizing on the device: every block finds the largest magnitude of its whole vector, which
// costs less than waiting for other blocks, and packs some of its slabs.
#include "cuda/check.cuh"
#include "cuda/launch.h"
#include "cuda/quantize_block.cuh"

namespace pbatch::cuda {
namespace {

template <int kBits, Method kMethod>
__global__ void __launch_bounds__(kQuantizeWarps* kLanes)
    quantize_kernel(const __grid_constant__ QuantizeArgs args) {
  const int64_t first = int64_t{blockIdx.x} * kQuantizeWarps;
  const int64_t last = first + kQuantizeWarps;
  quantize_by_block<kBits, kMethod>(args, blockIdx.y, first, last < args.slabs ? last : args.slabs,
                                    blockIdx.x == 0);
}

template <int kBits>
void launch(const QuantizeArgs& args, Method method, Stream stream) {
  const dim3 grid(static_cast<unsigned>((args.slabs + kQuantizeWarps - 1) / kQuantizeWarps),
                  static_cast<unsigned>(args.batch));
  if (method == Method::bits) {
    quantize_kernel<kBits, Method::bits><<<grid, kQuantizeWarps * kLanes, 0, stream>>>(args);
  } else {
    quantize_kernel<kBits, Method::bytes><<<grid, kQuantizeWarps * kLanes, 0, stream>>>(args);
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
