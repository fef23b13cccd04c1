// Quantizing on the device: every block finds the largest magnitude of its whole vector, which
// costs less than waiting for other blocks, and packs some of its slabs.
#include "cuda/launch_kernel.cuh"
#include "cuda/quantize_block.cuh"

namespace pbatch::cuda {
namespace {

template <int kBits, Method kMethod>
__global__ void __launch_bounds__(kQuantizeWarps* kLanes)
    quantize_kernel(const __grid_constant__ QuantizeArgs args) {
  follow_earlier_work();
  const int64_t first = int64_t{blockIdx.x} * kQuantizeWarps;
  const int64_t last = first + kQuantizeWarps;
  quantize_by_block<kBits, kMethod>(args, blockIdx.y, first, last < args.slabs ? last : args.slabs,
                                    blockIdx.x == 0);
}

using QuantizeKernel = void (*)(QuantizeArgs);

template <int kBits>
QuantizeKernel kernel_for(Method method) {
  return method == Method::bits ? quantize_kernel<kBits, Method::bits>
                                : quantize_kernel<kBits, Method::bytes>;
}

QuantizeKernel kernel_for(const QuantizeArgs& args, Method method) {
  switch (args.activation_bits) {
    case 8:
      return kernel_for<8>(method);
    case 16:
      return kernel_for<16>(method);
    default:
      return kernel_for<32>(method);
  }
}

}  // namespace

Status launch_quantize(const QuantizeArgs& args, Method method, Stream stream) {
  if (args.slabs == 0 || args.batch == 0) return Status::ok();
  const dim3 grid(static_cast<unsigned>((args.slabs + kQuantizeWarps - 1) / kQuantizeWarps),
                  static_cast<unsigned>(args.batch));
  return launch_kernel(kernel_for(args, method), grid, kQuantizeWarps * kLanes, 0, args, stream,
                       "quantizing activations");
}

}  // namespace pbatch::cuda
