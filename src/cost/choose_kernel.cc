#include "cost/choose_kernel.h"

#include <cmath>

#include "cost/product_time.h"

namespace pbatch {
namespace {

bool eligible(const BitKernel& kernel, IsaChoice isa) {
  return isa.runs(kernel.isa) && &kernel != all_kernels().data();
}

const BitKernel& without_costs(IsaChoice isa) {
  const BitKernel* best = nullptr;
  for (const BitKernel& kernel : all_kernels()) {
    if (eligible(kernel, isa) && (best == nullptr || kernel.isa >= best->isa)) best = &kernel;
  }
  return *best;  // kernels.inc has kernels of the portable ISA
}

}  // namespace

const BitKernel& choose_kernel(const GemmShape& shape, IsaChoice isa, const KernelCosts& costs) {
  const BitKernel* best = nullptr;
  double least = INFINITY;
  for (const BitKernel& kernel : all_kernels()) {
    if (!eligible(kernel, isa) || !costs.knows(kernel)) continue;
    double ps = product_ps(costs, kernel, shape);
    if (kernel.layout != kLayoutNibbles) ps *= 1 + kCopyMustSave;
    if (ps < least) {
      least = ps;
      best = &kernel;
    }
  }
  return best != nullptr ? *best : without_costs(isa);
}

}  // namespace pbatch
