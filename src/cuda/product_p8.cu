#include "cuda/product_kernels.cuh"

namespace pbatch::cuda {

PBATCH_PRODUCT_KERNELS(8)

}  // namespace pbatch::cuda
