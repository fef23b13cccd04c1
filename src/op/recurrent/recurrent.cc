// pbatch.Recurrent: one direction of an RNN, LSTM or GRU behind its input product.
//   XW [T, B, rows], R [hidden, rows], Rb [padded], sequence_lens [B], initial_h and initial_c
//   [D, B, H], P [3 padded] -> Y [T, 1, B, H], Y_h [1, B, H], Y_c [1, B, H]; rows: gate_tiles.h.
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"
#include "op/recurrent/recurrent_float.h"
#include "op/recurrent/recurrent_node.h"

namespace pbatch {
namespace {

class Recurrent final : public Op {
 public:
  Recurrent(RecurrentNode node, FloatRecurrentWeights weights)
      : node_(std::move(node)), weights_(std::move(weights)) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    PBATCH_ASSIGN_OR_RETURN(const RecurrentIo io, node_.open(request.inputs));
    const FloatBackend backend = request.context.float_backend;
    StepPlan plan =
        node_.plan(request, io, [this, backend](const RecurrentCall& call, const StepCall& step) {
          FloatRecurrentProduct product(weights_, node_.spec().gates, call.batch, backend,
                                        step.pool, step.buffers);
          return run_recurrent(node_.spec(), call, product, step.scratch);
        });
    plan.scratch_bytes = recurrent_scratch_bytes(node_.spec(), io.batch());
    plan.info.rows = node_.spec().gates.rows();
    plan.info.cols = node_.spec().gates.hidden;
    plan.info.macs = plan.info.rows * plan.info.cols * io.batch() * io.steps();
    return plan;
  }

 private:
  RecurrentNode node_;
  FloatRecurrentWeights weights_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_recurrent(const Graph& graph, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 7, 3));
  PBATCH_ASSIGN_OR_RETURN(RecurrentNode layer, RecurrentNode::create(graph, node, /*first=*/2));
  const Tensor* r = constant_input(graph, node, 1);
  if (r == nullptr) {
    return Status(ErrorCode::malformed, "the weights of pbatch.Recurrent are not constant",
                  "export or quantize the network again");
  }
  PBATCH_ASSIGN_OR_RETURN(FloatRecurrentWeights weights,
                          FloatRecurrentWeights::create(layer.spec().gates, *r));
  return std::unique_ptr<Op>(new Recurrent(std::move(layer), std::move(weights)));
}

}  // namespace pbatch
