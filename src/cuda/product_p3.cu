#include "cuda/product_kernels.cuh"

namespace pbatch::cuda {

PBATCH_PRODUCT_KERNELS(3)

}  // namespace pbatch::cuda
