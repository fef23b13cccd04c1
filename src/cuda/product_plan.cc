#include "cuda/product_plan.h"

#include <algorithm>

#include "cuda/product_block.h"
#include "layout/layout.h"

namespace pbatch::cuda {
namespace {

// Warps of a multiprocessor that keep its share of the memory busy.
constexpr int kWarpsPerProcessor = 16;
// A warp that has fewer slabs than this costs more to start than it saves.
constexpr int kLeastSlabs = 4;

// Warp instructions for a row block x slab, as machine code for sm_90 has them, about: 6 for each
// mma on bits, and 6 for each plane and block of bytes.
int bits_instructions(const ProductShape& shape) {
  const int runs = slab_runs(shape.run_blocks), planes = std::min(shape.weight_bits, 8);
  const int of_run = activation_tiles(shape.activation_bits) * (6 * planes + 4) + 8;
  return shape.batch * halves_of(shape.activation_bits) * runs * of_run;
}
int bytes_instructions(const ProductShape& shape) {
  const int runs = slab_runs(shape.run_blocks), planes = std::min(shape.weight_bits, 8);
  const int columns = shape.batch * (shape.activation_bits / 8);
  return (columns + 7) / 8 * (kSlabBlocks * (6 * planes + 8) + 20 * runs);
}

}  // namespace

bool has_bit_unit(const DeviceLimits& device) { return device.capability < 100; }

Method choose_method(const ProductShape& shape, const DeviceLimits& device) {
  if (shape.batch > kMaxBatch) return Method::gemm;
  if (!has_bit_unit(device)) return Method::bytes;
  return bits_instructions(shape) <= bytes_instructions(shape) ? Method::bits : Method::bytes;
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
