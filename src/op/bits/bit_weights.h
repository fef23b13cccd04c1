// The matrix of one node as operators over bit-layers use it: checks, choice of kernel, cache.
#pragma once

#include <memory>

#include "cost/gemm_shape.h"
#include "cost/kernel_policy.h"
#include "op/op.h"
#include "product/bit_gemm.h"

namespace pbatch {

/// An error for a node that has no bit-layers.
Status check_has_matrix(const Node& node);
/// What weight_bits 32 reads: the planes at hand, and at least one, so that a file cut before the
/// first is an error of check_planes().
int all_planes(const BitMatrix& matrix);
/// An error if fewer planes than `weight_bits` are at hand. Reads none.
Status check_at_hand(const BitMatrix& matrix, int weight_bits);
/// The same, and if these fail their checksums.
Status check_planes(const BitMatrix& matrix, int weight_bits);

/// Bytes of planes and scales of the model that a run at this width reads.
std::int64_t stored_bytes(const BitMatrix& matrix, int weight_bits);
/// What a product with `vectors` vectors and the matrix as floats is in a plan.
PlanStep float_info(const BitMatrix& matrix, std::int64_t vectors);

/// Ready at any width. Thread-safe but for choose_kernels_by().
class BitWeights {
 public:
  /// Of node.matrix.
  static Result<std::unique_ptr<BitWeights>> create(const Node& node);

  const BitMatrix& matrix() const { return *matrix_; }
  Isa isa() const { return policy_.isa.best; }

  /// Until this is called: the built-in costs of the ISA in use, and one thread.
  void choose_kernels_by(const KernelPolicy& policy);

  /// Checks the planes that the width needs and prepares the matrix for `batch` vectors.
  Result<std::shared_ptr<const PreparedMatrix>> get(const LayerPrecision& precision,
                                                    std::int64_t batch) const;

  /// What a product of `batch` vectors with what get() made is in a plan.
  PlanStep info(const PreparedMatrix& prepared, int activation_bits, std::int64_t batch) const;

 private:
  BitWeights(std::shared_ptr<const BitMatrix> matrix, KernelPolicy policy);
  GemmShape shape_of(const LayerPrecision& precision, std::int64_t batch) const;
  const BitKernel& kernel_for(const LayerPrecision& precision, std::int64_t batch) const;

  std::shared_ptr<const BitMatrix> matrix_;
  KernelPolicy policy_;
  std::shared_ptr<MatrixCache> cache_;
};

}  // namespace pbatch
