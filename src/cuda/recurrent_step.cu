#include "cuda/launch_kernel.cuh"
#include "cuda/quantize_block.cuh"
#include "cuda/recurrent_unit.h"

namespace pbatch::cuda {
namespace {

constexpr int kThreads = kQuantizeWarps * kLanes;

__device__ __forceinline__ void step_units(const StepArgs& args) {
  follow_earlier_work();
  for (int64_t unit = threadIdx.x; unit < args.padded; unit += kThreads) {
    step_unit(args, static_cast<int>(blockIdx.x), unit);
  }
}

__global__ void __launch_bounds__(kThreads) step_kernel(const __grid_constant__ StepArgs args) {
  step_units(args);
}

template <int kBits, Method kMethod>
__global__ void __launch_bounds__(kThreads)
    step_and_quantize_kernel(const __grid_constant__ StepArgs args) {
  step_units(args);
  __syncthreads();  // the vector is complete, and all of the block see it
  quantize_by_block<kBits, kMethod>(args.quantize, blockIdx.x, 0, args.quantize.slabs, true);
}

using StepKernel = void (*)(StepArgs);

template <int kBits>
StepKernel kernel_for(Method method) {
  return method == Method::bits ? step_and_quantize_kernel<kBits, Method::bits>
                                : step_and_quantize_kernel<kBits, Method::bytes>;
}

StepKernel kernel_for(const StepArgs& args) {
  if (!args.quantizes) return step_kernel;
  switch (args.quantize.activation_bits) {
    case 8:
      return kernel_for<8>(args.method);
    case 16:
      return kernel_for<16>(args.method);
    default:
      return kernel_for<32>(args.method);
  }
}

}  // namespace

Status launch_step(const StepArgs& args, Stream stream) {
  if (args.batch == 0) return Status::ok();
  return launch_kernel(kernel_for(args), static_cast<unsigned>(args.batch), kThreads, 0, args,
                       stream, "computing a recurrent step");
}

}  // namespace pbatch::cuda
