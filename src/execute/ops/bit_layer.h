// What the operators over bit-layers share: choice of kernel, cache, float twin.
#pragma once

#include <memory>
#include <mutex>

#include "execute/bit_gemm.h"
#include "execute/chosen_kernels.h"
#include "execute/op.h"
#include "kernel/epilogue.h"
#include "plan/kernel_policy.h"

namespace pbatch {

/// An error for a node that has no bit-layers.
Status check_has_matrix(const Node& node);
/// What weight_bits 32 reads: the planes at hand, and at least one, so that a file cut before the
/// first is an error of check_planes().
int all_planes(const BitMatrix& matrix);
/// An error if fewer planes than `weight_bits` are at hand, or these fail their checksums.
Status check_planes(const BitMatrix& matrix, int weight_bits);

/// The matrix of one node, ready at any width.
class BitLayer {
 public:
  /// Reads node.matrix, the constant bias (input 1, if any) and the attribute "activation".
  static Result<std::unique_ptr<BitLayer>> create(const Graph& graph, const Node& node);

  const BitMatrix& matrix() const { return *matrix_; }

  /// Until this is called: the built-in costs of the ISA in use, and one thread.
  void choose_kernels_by(const KernelPolicy& policy);

  /// Checks the planes that the width needs and prepares the matrix for `batch` vectors.
  Result<std::shared_ptr<const PreparedMatrix>> get(const LayerPrecision& precision,
                                                    std::int64_t batch) const;
  /// A call with bias and activation filled in; the caller adds x, y and the batch.
  BitGemmCall call(const LayerPrecision& precision) const;

  Result<PlanStep> plan(const LayerPrecision& precision, std::int64_t batch) const;

  /// Runs the same node as a float operator, on weights rebuilt from all planes
  /// at hand: what weight_bits 32 means. Builds it at the first use.
  Status run_float(RunContext& context, const Tensor& x, std::span<Tensor> outputs) const;
  /// Does now what the first run_float would do.
  Status prepare_float() const;

 private:
  explicit BitLayer(std::shared_ptr<const BitMatrix> matrix);
  const BitKernel& kernel_for(const LayerPrecision& precision, std::int64_t batch) const;
  Result<std::unique_ptr<Op>> build_float_twin() const;

  std::shared_ptr<const BitMatrix> matrix_;
  Node node_;
  Tensor bias_;
  bool has_bias_ = false;
  Activation activation_ = Activation::none;
  KernelPolicy policy_;
  mutable ChosenKernels chosen_;
  mutable MatrixCache cache_;
  mutable std::mutex twin_mutex_;
  mutable std::unique_ptr<Graph> twin_graph_;
  mutable std::unique_ptr<Op> twin_;
};

}  // namespace pbatch
