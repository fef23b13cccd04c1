#include "cuda/product_plan.h"

#include <algorithm>

#include "cuda/product_block.h"
#include "pack/layout.h"

namespace pbatch::cuda {
namespace {

// Warps of a multiprocessor that keep its share of the memory busy.
constexpr int kWarpsPerProcessor = 16;
// A warp that has fewer slabs than this costs more to start than it saves.
constexpr int kLeastSlabs = 4;

}  // namespace

Method choose_method(const DeviceLimits& device, int batch) {
  if (batch > kMaxBatch) return Method::gemm;
  return device.capability < 100 ? Method::bits : Method::bytes;
}

ProductPlan plan_product(const ProductShape& shape, Method method, const DeviceLimits& device) {
  const std::int64_t slabs = slabs_of(col_blocks(shape.cols));
  const std::int64_t blocks = row_blocks(shape.rows);
  const std::int64_t ring = ring_bytes(std::min(shape.weight_bits, 8));

  ProductPlan plan;
  plan.method = method;
  plan.warps = kMaxWarps;
  // Warps of a block share the slabs; with gemm each has rows of its own.
  const std::int64_t parts = method == Method::gemm ? kMaxWarps : slabs;
  while (plan.warps > 1 &&
         (plan.warps > parts || plan.warps * ring > device.shared_per_block - kReservedShared)) {
    plan.warps /= 2;
  }
  plan.shared_bytes = plan.warps * ring;
  if (method == Method::gemm) {
    const int columns = shape.batch * (shape.activation_bits / 8);
    plan.splits = (columns + kGemmColumns - 1) / kGemmColumns;
    return plan;
  }
  const std::int64_t wanted = std::int64_t{device.processors} * kWarpsPerProcessor;
  plan.splits = static_cast<int>(std::clamp<std::int64_t>(
      std::min(wanted / (blocks * plan.warps), slabs / (plan.warps * kLeastSlabs)), 1,
      std::int64_t{device.processors}));

  ProductArgs args = {};
  args.batch = shape.batch;
  args.weight_bits = shape.weight_bits;
  args.activation_bits = shape.activation_bits;
  args.slabs = slabs;
  args.run_blocks = shape.run_blocks;
  const std::int64_t terms = term_floats(args) * static_cast<std::int64_t>(sizeof(float));
  // Two blocks at least shall find room on a multiprocessor, or nothing hides their ends.
  const std::int64_t room =
      std::min(device.shared_per_block, device.shared_per_processor / 2) - kReservedShared;
  if (plan.splits == 1 && plan.shared_bytes + terms <= room) {
    plan.shared_bytes += terms;
  } else {
    plan.term_bytes = blocks * terms;
  }
  if (plan.splits > 1) plan.arrivals = blocks;
  return plan;
}

}  // namespace pbatch::cuda
