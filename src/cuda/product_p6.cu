#include "cuda/product_kernels.cuh"

namespace pbatch::cuda {

PBATCH_PRODUCT_KERNELS(6)

}  // namespace pbatch::cuda
