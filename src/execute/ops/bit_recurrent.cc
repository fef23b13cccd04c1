// pbatch.BitRecurrent: pbatch.Recurrent with R as bit-layers.
//   XW [T, B, rows], Rb [padded], sequence_lens [B], initial_h and initial_c [D, B, H],
//   P [3 padded] -> Y [T, 1, B, H], Y_h [1, B, H], Y_c [1, B, H]; rows: gate_tiles.h.
#include <mutex>
#include <optional>
#include <string>

#include "execute/op.h"
#include "execute/ops/bit_weights.h"
#include "execute/ops/node_checks.h"
#include "execute/ops/recurrent_node.h"
#include "execute/recurrent_bits.h"
#include "execute/recurrent_float.h"
#include "quantize/dequantize.h"

namespace pbatch {
namespace {

class BitRecurrent final : public Op {
 public:
  BitRecurrent(RecurrentNode node, std::unique_ptr<BitWeights> weights, std::string name)
      : node_(std::move(node)), weights_(std::move(weights)), name_(std::move(name)) {}

  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    const LayerPrecision& precision = context.precision.of(name_);
    const RecurrentSpec& spec = node_.spec();
    PBATCH_ASSIGN_OR_RETURN(RecurrentIo io, node_.open(inputs));
    PBATCH_RETURN_IF_ERROR(io.allocate(context, 1, node_.wanted(outputs)));
    if (io.batch() == 0) return Status::ok();
    const RecurrentCall call = node_.call(io, inputs);
    if (precision.weight_bits == 32) {
      PBATCH_RETURN_IF_ERROR(prepare_float());
      FloatRecurrentProduct product(*float_weights_, spec.gates, io.batch(), context);
      return run_recurrent(spec, call, product, context.buffers);
    }
    PBATCH_ASSIGN_OR_RETURN(const auto matrix, weights_->get(precision, io.batch()));
    PBATCH_ASSIGN_OR_RETURN(
        BitProduct held,
        BitProduct::create(*matrix, io.batch(), precision.activation_bits, context.buffers));
    BitRecurrentProduct product(std::move(held), io.batch(), context.pool);
    return run_recurrent(spec, call, product, context.buffers);
  }

  void choose_kernels_by(const KernelPolicy& policy) override {
    weights_->choose_kernels_by(policy);
  }

  Status prepare(const LayerPrecision& precision) const override {
    if (precision.weight_bits == 32) return prepare_float();
    return weights_->get(precision, 1).status();
  }

  Result<PlanStep> plan(const LayerPrecision& precision, std::int64_t batch, int) const override {
    return weights_->plan(precision, batch);
  }

 private:
  // R rebuilt from all planes at hand.
  Status prepare_float() const {
    const std::lock_guard lock(float_mutex_);
    if (float_weights_) return Status::ok();
    const BitMatrix& m = weights_->matrix();
    PBATCH_RETURN_IF_ERROR(check_planes(m, all_planes(m)));
    PBATCH_ASSIGN_OR_RETURN(const Tensor r, dequantize(m, all_planes(m), /*transposed=*/true));
    PBATCH_ASSIGN_OR_RETURN(float_weights_, FloatRecurrentWeights::create(node_.spec().gates, r));
    return Status::ok();
  }

  RecurrentNode node_;
  std::unique_ptr<BitWeights> weights_;
  std::string name_;
  mutable std::mutex float_mutex_;
  mutable std::optional<FloatRecurrentWeights> float_weights_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_bit_recurrent(const Graph& graph, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 6, 3));
  PBATCH_ASSIGN_OR_RETURN(RecurrentNode layer, RecurrentNode::create(graph, node, /*first=*/1));
  PBATCH_ASSIGN_OR_RETURN(std::unique_ptr<BitWeights> weights, BitWeights::create(node));
  const GateTiles& gates = layer.spec().gates;
  if (weights->matrix().rows != gates.rows() || weights->matrix().cols != gates.hidden) {
    return Status(ErrorCode::malformed,
                  "its matrix is " + std::to_string(weights->matrix().rows) + " x " +
                      std::to_string(weights->matrix().cols) + ", but the cell takes " +
                      std::to_string(gates.rows()) + " x " + std::to_string(gates.hidden),
                  "make the model anew with 'pbatch quantize'");
  }
  return std::unique_ptr<Op>(new BitRecurrent(std::move(layer), std::move(weights), node.name));
}

}  // namespace pbatch
