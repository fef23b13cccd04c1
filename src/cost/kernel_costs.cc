#include "cost/kernel_costs.h"

namespace pbatch {
namespace {

constexpr std::size_t kPoints =
    kCostMatrices.size() * kCostActivationBits.size() * kCostBatches.size();

std::size_t index_of(const BitKernel& kernel) {
  return static_cast<std::size_t>(&kernel - all_kernels().data());
}

std::size_t place_of(const BitKernel& kernel, const CostPoint& p) {
  const std::size_t within =
      (p.matrix * kCostActivationBits.size() + p.activation) * kCostBatches.size() + p.batch;
  return index_of(kernel) * kPoints + within;
}

}  // namespace

KernelCosts::KernelCosts()
    : costs_(all_kernels().size() * kPoints, WidthCosts{}), known_(all_kernels().size(), false) {}

const WidthCosts& KernelCosts::at(const BitKernel& kernel, const CostPoint& point) const {
  return costs_[place_of(kernel, point)];
}

void KernelCosts::set(const BitKernel& kernel, const CostPoint& point, const WidthCosts& costs) {
  costs_[place_of(kernel, point)] = costs;
  for (const double cost : costs) {
    if (cost > 0) known_[index_of(kernel)] = true;
  }
}

void KernelCosts::forget(const BitKernel& kernel) {
  const std::size_t first = place_of(kernel, {});
  for (std::size_t i = first; i < first + kPoints; ++i) costs_[i] = {};
  known_[index_of(kernel)] = false;
}

bool KernelCosts::knows(const BitKernel& kernel) const { return known_[index_of(kernel)]; }

std::string build_identity() {
  std::string identity = PBATCH_VERSION;
  for (const BitKernel& kernel : all_kernels()) identity += std::string(" ") + kernel.name;
  return identity;
}

}  // namespace pbatch
