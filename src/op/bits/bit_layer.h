// What linear layers and convolutions over bit-layers share: bias, activation, float twin.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "cost/kernel_policy.h"
#include "kernel/epilogue.h"
#include "op/bits/bit_weights.h"
#include "op/op.h"
#include "product/bit_gemm.h"

namespace pbatch {

/// A node with a matrix, a bias and an activation, ready at any width.
class BitLayer {
 public:
  /// Reads node.matrix, the constant bias (input 1, if any) and the attribute "activation".
  static Result<std::unique_ptr<BitLayer>> create(const Graph& graph, const Node& node);

  const BitMatrix& matrix() const { return weights_->matrix(); }
  const BitWeights& weights() const { return *weights_; }

  void choose_kernels_by(const KernelPolicy& policy) { weights_->choose_kernels_by(policy); }

  /// A call with bits, bias and activation filled in; the caller adds x, y and the batch.
  BitGemmCall call(const LayerPrecision& precision) const;

  /// The same node as a float operator, on weights rebuilt from the first `weight_bits` planes, or
  /// of all at hand: what 32 means. Builds it at the first use.
  Result<StepPlan> plan_float(const PlanRequest& request, int weight_bits = 32) const;

 private:
  BitLayer(Node node, std::unique_ptr<BitWeights> weights)
      : weights_(std::move(weights)), node_(std::move(node)) {}

  // A float operator and the graph that it refers to.
  struct Twin {
    std::unique_ptr<Graph> graph;
    std::unique_ptr<Op> op;
  };
  Result<const Twin*> twin_of(int weight_bits) const;
  Result<Twin> build_float_twin(int planes) const;

  std::unique_ptr<BitWeights> weights_;
  Node node_;
  Tensor bias_;
  bool has_bias_ = false;
  Activation activation_ = Activation::none;
  mutable std::mutex twin_mutex_;
  mutable std::map<int, Twin> twins_;  ///< by planes; guarded by twin_mutex_, entries stay
};

}  // namespace pbatch
