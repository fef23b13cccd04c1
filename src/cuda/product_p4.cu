#include "cuda/product_kernels.cuh"

namespace pbatch::cuda {

PBATCH_PRODUCT_KERNELS(4)

}  // namespace pbatch::cuda
