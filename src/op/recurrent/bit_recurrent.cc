// pbatch.BitRecurrent: pbatch.Recurrent with R as bit-layers.
//   XW [T, B, rows], Rb [padded], sequence_lens [B], initial_h and initial_c [D, B, H],
//   P [3 padded] -> Y [T, 1, B, H], Y_h [1, B, H], Y_c [1, B, H]; rows: gate_tiles.h.
#include <mutex>
#include <optional>
#include <string>

#include "op/bits/bit_weights.h"
#include "op/node_checks.h"
#include "op/op.h"
#include "op/recurrent/recurrent_bits.h"
#include "op/recurrent/recurrent_float.h"
#include "op/recurrent/recurrent_node.h"
#include "product/input_observer.h"
#include "quantize/dequantize.h"

namespace pbatch {
namespace {

// Tells an observer of the states before they are multiplied.
class ObservedProduct final : public RecurrentProduct {
 public:
  ObservedProduct(RecurrentProduct& product, InputObserver& observer, const BitMatrix& matrix,
                  std::int64_t batch)
      : product_(product), observer_(observer), matrix_(matrix), batch_(batch) {}

  Status run(const float* h, std::int64_t ldh, std::int64_t first, std::int64_t last,
             std::int64_t grain, float* y, std::int64_t ldy, const RangeTask& done) override {
    observer_.observe(matrix_, first * kTileUnits, last * kTileUnits, h, batch_, ldh);
    return product_.run(h, ldh, first, last, grain, y, ldy, done);
  }

 private:
  RecurrentProduct& product_;
  InputObserver& observer_;
  const BitMatrix& matrix_;
  const std::int64_t batch_;
};

class BitRecurrent final : public Op {
 public:
  BitRecurrent(RecurrentNode node, std::unique_ptr<BitWeights> weights, std::string name)
      : node_(std::move(node)), weights_(std::move(weights)), name_(std::move(name)) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const LayerPrecision& precision = request.context.precision.of(name_);
    PBATCH_ASSIGN_OR_RETURN(const RecurrentIo io, node_.open(request.inputs));
    if (precision.weight_bits == 32) return plan_float(request, io);
    const RecurrentSpec& spec = node_.spec();
    const std::size_t states = (recurrent_scratch_bytes(spec, io.batch()) + 63) / 64 * 64;
    if (io.batch() == 0) {
      return node_.plan(request, io,
                        [](const RecurrentCall&, const StepCall&) { return Status::ok(); });
    }
    PBATCH_ASSIGN_OR_RETURN(const auto matrix, weights_->get(precision, io.batch()));
    const int bits = precision.activation_bits;
    const PackedKey key = BitProduct::key_of(*matrix, io.batch(), bits);
    const std::size_t packed = packed_buffer_bytes(key);
    const std::size_t product =
        (BitProduct::scratch_bytes(*matrix, io.batch(), bits) + 63) / 64 * 64;
    StepPlan plan = node_.plan(
        request, io,
        [&spec, matrix, bits, key, states, packed, product, weights = &weights_->matrix()](
            const RecurrentCall& call, const StepCall& step) {
          char* const memory = static_cast<char*>(step.scratch) + states;
          BitProduct held(*matrix, call.batch, bits, packed_vectors_at(key, memory),
                          memory + packed, step.buffers);
          held.time_parts(step.phases);
          BitRecurrentProduct steps(held, *matrix, call.batch, step.pool,
                                    reinterpret_cast<float*>(memory + packed + product));
          if (InputObserver* const observer = ObserveInputs::of_this_thread()) {
            ObservedProduct observed(steps, *observer, *weights, call.batch);
            return run_recurrent(spec, call, observed, step.scratch);
          }
          return run_recurrent(spec, call, steps, step.scratch);
        });
    plan.scratch_bytes =
        states + packed + product + BitRecurrentProduct::outlier_bytes(*matrix, io.batch());
    plan.info = weights_->info(*matrix, bits, io.batch());
    plan.info.predicted_us *= static_cast<double>(io.steps());
    plan.info.macs *= io.steps();
    return plan;
  }

  void choose_kernels_by(const KernelPolicy& policy) override {
    weights_->choose_kernels_by(policy);
  }

 private:
  Result<StepPlan> plan_float(const PlanRequest& request, const RecurrentIo& io) const {
    PBATCH_RETURN_IF_ERROR(prepare_float());
    const FloatBackend backend = request.context.float_backend;
    StepPlan plan =
        node_.plan(request, io, [this, backend](const RecurrentCall& call, const StepCall& step) {
          FloatRecurrentProduct product(*float_weights_, node_.spec().gates, call.batch, backend,
                                        step.pool, step.buffers);
          return run_recurrent(node_.spec(), call, product, step.scratch);
        });
    plan.scratch_bytes = recurrent_scratch_bytes(node_.spec(), io.batch());
    plan.info = float_info(weights_->matrix(), io.batch() * io.steps());
    return plan;
  }

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
