#include "op/bits/bit_weights.h"

#include <algorithm>
#include <cmath>

#include "cost/builtin_costs.h"
#include "cost/choose_kernel.h"
#include "cost/product_time.h"
#include "isa/isa.h"
#include "layout/layout.h"
#include "product/matrix_cache.h"

namespace pbatch {
namespace {

Status missing_planes(const BitMatrix& m, int weight_bits) {
  const bool cut = m.planes_available() < m.planes_stored;
  return {ErrorCode::precision_unavailable,
          std::to_string(weight_bits) + " weight bits asked for, but " +
              (cut ? "the data file was cut and holds " : "the model has ") +
              std::to_string(m.planes_available()) + " bit-layers of this matrix" +
              (cut ? " of " + std::to_string(m.planes_stored) : ""),
          cut ? "ask for fewer bits or restore the data file"
              : "ask for fewer bits or quantize with more planes"};
}

}  // namespace

Status check_has_matrix(const Node& node) {
  if (node.matrix != nullptr) return Status::ok();
  return {ErrorCode::malformed, "a pbatch operator without its bit-layers",
          "make the model anew with 'pbatch quantize'"};
}

int all_planes(const BitMatrix& m) { return std::max(1, m.planes_available()); }

Status check_at_hand(const BitMatrix& m, int weight_bits) {
  return weight_bits > m.planes_available() ? missing_planes(m, weight_bits) : Status::ok();
}

Status check_planes(const BitMatrix& m, int weight_bits) {
  PBATCH_RETURN_IF_ERROR(check_at_hand(m, weight_bits));
  return m.verify_planes ? m.verify_planes(weight_bits) : Status::ok();
}

std::int64_t stored_bytes(const BitMatrix& m, int weight_bits) {
  return weight_bits * plane_bytes(m.rows, m.cols) + m.scale_bytes();
}

PlanStep float_info(const BitMatrix& m, std::int64_t vectors) {
  PlanStep step;
  step.kernel = "float";
  step.rows = m.rows;
  step.cols = m.cols;
  step.weight_bytes = m.rows * m.cols * 4;
  step.macs = m.rows * m.cols * vectors;
  return step;
}

BitWeights::BitWeights(std::shared_ptr<const BitMatrix> matrix, KernelPolicy policy)
    : matrix_(std::move(matrix)),
      policy_(std::move(policy)),
      cache_(MatrixCache::shared(matrix_)) {}

Result<std::unique_ptr<BitWeights>> BitWeights::create(const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_has_matrix(node));
  PBATCH_ASSIGN_OR_RETURN(const IsaChoice isa, select_isa());
  return std::unique_ptr<BitWeights>(
      new BitWeights(node.matrix, {isa, builtin_costs_here(isa.best)}));
}

Result<std::shared_ptr<const PreparedMatrix>> BitWeights::get(const LayerPrecision& precision,
                                                              std::int64_t batch) const {
  PBATCH_RETURN_IF_ERROR(check_planes(*matrix_, precision.weight_bits));
  return cache_->get(kernel_for(precision, batch), precision.weight_bits);
}

void BitWeights::choose_kernels_by(const KernelPolicy& policy) { policy_ = policy; }

GemmShape BitWeights::shape_of(const LayerPrecision& precision, std::int64_t batch) const {
  return {matrix_->rows,
          matrix_->cols,
          batch,
          precision.weight_bits,
          precision.activation_bits,
          policy_.threads,
          policy_.network_plane_bytes};
}

const BitKernel& BitWeights::kernel_for(const LayerPrecision& precision, std::int64_t batch) const {
  return choose_kernel(shape_of(precision, batch), policy_.isa, *policy_.costs);
}

PlanStep BitWeights::info(const PreparedMatrix& prepared, int activation_bits,
                          std::int64_t batch) const {
  PlanStep step;
  step.rows = matrix_->rows;
  step.cols = matrix_->cols;
  step.macs = step.rows * step.cols * batch;
  const BitKernel& kernel = *prepared.kernel;
  step.kernel = kernel.name;
  step.weight_bits = prepared.weight_bits;
  step.activation_bits = activation_bits;
  const double ps =
      product_ps(*policy_.costs, kernel, shape_of({step.weight_bits, step.activation_bits}, batch));
  if (std::isfinite(ps)) step.predicted_us = ps / 1e6;
  const int run = matrix_->group == 0 ? kMaxRunCols : std::min<int>(matrix_->group, kMaxRunCols);
  step.weight_bytes =
      weight_bytes_read(kernel.layout,
                        {.rows = step.rows, .cols = step.cols, .weight_bits = step.weight_bits}) +
      row_blocks(step.rows) * kBlockRows * ((step.cols + run - 1) / run) + step.rows * 4;
  if (kernel.layout == kLayoutRowLanes) step.repack = "nibbles to row lanes";
  if (kernel.layout == kLayoutColumnBytes) step.repack = "nibbles to column bytes";
  if (kernel.layout == kLayoutFields) step.repack = "planes to fields";
  if (kernel.layout == kLayoutDense) step.repack = "planes to dense fields";
  return step;
}

}  // namespace pbatch
