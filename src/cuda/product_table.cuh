// The kernels by number of planes; each is compiled in a file of its own.
#pragma once

#include "cuda/product_args.h"
#include "cuda/product_plan.h"

namespace pbatch::cuda {

using ProductKernel = void (*)(ProductArgs args);

/// digits: bytes of half an activation, 1 or 2.
ProductKernel product_p1(Method method, int digits, int run_blocks);
ProductKernel product_p2(Method method, int digits, int run_blocks);
ProductKernel product_p3(Method method, int digits, int run_blocks);
ProductKernel product_p4(Method method, int digits, int run_blocks);
ProductKernel product_p5(Method method, int digits, int run_blocks);
ProductKernel product_p6(Method method, int digits, int run_blocks);
ProductKernel product_p7(Method method, int digits, int run_blocks);
ProductKernel product_p8(Method method, int digits, int run_blocks);

}  // namespace pbatch::cuda
