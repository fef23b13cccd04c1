// How long a product takes, told from a table of measured costs.
#pragma once

#include "cost/gemm_shape.h"
#include "cost/kernel_costs.h"

namespace pbatch {

/// Picoseconds; infinite if the table does not know the kernel at this precision.
///
/// - Batches between two measured ones: the time of the whole batch lies on the line between
///   theirs. Above the greatest it grows with the batch; below the least it stays, for a kernel
///   that was measured from some batch on fills up to it.
/// - Rows: the row blocks of one thread's share, likewise between 1, 8 and 64 row blocks, so that a
///   kernel that takes several at a time pays for those it wastes. The time grows with the columns.
/// - Where the weights in turn exceed the L2 cache of each thread: times the ratio of the costs
///   measured on the large and on the 1024 x 1024 matrix.
/// - Where they exceed the L3 cache too, they come from memory. Kernels prefetch, so computing and
///   reading what the kernel's layout takes overlap: the longer of the two counts, and a little of
///   the other.
/// - More than 8 weight bits are two products.
double product_ps(const KernelCosts& costs, const BitKernel& kernel, const GemmShape& shape);

}  // namespace pbatch
