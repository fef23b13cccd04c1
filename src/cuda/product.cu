#include "cuda/launch_kernel.cuh"
#include "cuda/product_block.h"
#include "cuda/product_table.cuh"

namespace pbatch::cuda {
namespace {

ProductKernel kernel_for(const ProductArgs& args, Method method) {
  using Of = ProductKernel (*)(Method, int, int);
  static constexpr Of kOf[] = {product_p1, product_p2, product_p3, product_p4,
                               product_p5, product_p6, product_p7, product_p8};
  const int planes = args.weight_bits < 8 ? args.weight_bits : 8;
  return kOf[planes - 1](method, args.activation_bits == 8 ? 1 : 2, args.run_blocks);
}

// Above this a kernel must be allowed its shared memory.
constexpr std::int64_t kPlainShared = 48 * 1024;

// As much as any plan asks for. The limit belongs to the kernel, not to a launch: were it set to
// what each launch needs, it would be too low for a larger one of another thread or of a graph.
Status allow_shared(ProductKernel kernel) {
  int device = 0, most = 0;
  PBATCH_CUDA_CALL(cudaGetDevice(&device), "asking for its shared memory");
  PBATCH_CUDA_CALL(cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device),
                   "asking for its shared memory");
  return status_of(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                        most - static_cast<int>(kReservedShared)),
                   "asking for shared memory");
}

}  // namespace

Status launch_product(const ProductArgs& args, const ProductPlan& plan, Stream stream) {
  if (args.row_blocks == 0 || args.batch == 0) return Status::ok();
  if (args.ldy > UINT32_MAX / args.batch) {
    return {ErrorCode::invalid_argument, "a product on the GPU has at most 2^32 results",
            "use smaller batches"};
  }
  if (activation_words(args.slabs, args.activation_bits) > UINT32_MAX / args.batch) {
    return {ErrorCode::invalid_argument, "a product on the GPU has at most 16 GiB of activations",
            "use smaller batches"};
  }
  const ProductKernel kernel = kernel_for(args, plan.method);
  if (plan.shared_bytes > kPlainShared) PBATCH_RETURN_IF_ERROR(allow_shared(kernel));
  // A block has one row block, or with gemm one for each warp.
  const int64_t height = plan.method == Method::gemm ? plan.warps : 1;
  const int64_t blocks = (args.row_blocks + height - 1) / height * plan.splits;
  return launch_kernel(kernel, static_cast<unsigned>(blocks), plan.warps * kLanes,
                       plan.shared_bytes, args, stream, "multiplying");
}

}  // namespace pbatch::cuda
