#include "cuda/product_kernels.cuh"

namespace pbatch::cuda {

PBATCH_PRODUCT_KERNELS(5)

}  // namespace pbatch::cuda
