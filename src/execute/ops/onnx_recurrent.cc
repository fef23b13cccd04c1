// RNN, LSTM and GRU as ONNX has them, with weights that only the run knows. Those with constant
// weights become pbatch.Linear and pbatch.Recurrent before (graph/split_recurrent.cc).
#include <array>
#include <string>

#include "execute/op.h"
#include "execute/ops/float_checks.h"
#include "execute/ops/node_checks.h"
#include "execute/recurrent_float.h"
#include "execute/recurrent_io.h"
#include "graph/recurrent_weights.h"

namespace pbatch {
namespace {

class OnnxRecurrent final : public Op {
 public:
  OnnxRecurrent(std::array<RecurrentSpec, 2> specs, int directions, int layout)
      : specs_(specs), directions_(directions), layout_(layout) {}

  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    const bool lstm = specs_[0].gates.cell == CellType::lstm;
    RecurrentInputs in;
    in.x = input_or_null(inputs, 0);
    in.lengths = input_or_null(inputs, 4);
    in.initial_h = input_or_null(inputs, 5);
    if (lstm) in.initial_c = input_or_null(inputs, 6);
    OnnxRecurrentWeights weights{input_or_null(inputs, 1), input_or_null(inputs, 2),
                                 input_or_null(inputs, 3),
                                 lstm ? input_or_null(inputs, 7) : nullptr};
    PBATCH_RETURN_IF_ERROR(check_recurrent_weights(weights, specs_[0].gates, directions_));
    PBATCH_ASSIGN_OR_RETURN(RecurrentIo io,
                            RecurrentIo::create(in, specs_[0].gates.hidden, directions_, layout_));
    if (weights.w->dim(2) != in.x->dim(2)) {
      return {ErrorCode::shape_mismatch,
              "input X is " + shape_to_string(in.x->shape()) + ", but W is " +
                  shape_to_string(weights.w->shape()),
              "feed the shape that the network was exported with"};
    }
    const std::size_t most = lstm ? 3 : 2;
    PBATCH_RETURN_IF_ERROR(
        io.allocate(context, directions_, outputs.first(std::min(outputs.size(), most))));
    for (int d = 0; d < directions_; ++d) {
      PBATCH_RETURN_IF_ERROR(run_direction(context, *in.x, weights, d, io));
    }
    return Status::ok();
  }

 private:
  Status run_direction(RunContext& context, const Tensor& x, const OnnxRecurrentWeights& weights,
                       int d, const RecurrentIo& io) const {
    const RecurrentSpec& spec = specs_[static_cast<std::size_t>(d)];
    const GateTiles& gates = spec.gates;
    PBATCH_ASSIGN_OR_RETURN(const DirectionWeights tiled, tile_direction(weights, gates, d));
    PBATCH_ASSIGN_OR_RETURN(const auto w,
                            FloatMatrix::create(tiled.w, FloatMatrix::Layout::cols_rows));
    PBATCH_ASSIGN_OR_RETURN(Tensor xw,
                            context.allocate(DType::f32, {io.steps() * io.batch(), gates.rows()}));
    FloatGemmCall product;
    product.x = x.data<float>();
    product.batch = io.steps() * io.batch();
    product.y = xw.mutable_data<float>();
    product.bias = tiled.bias.data<float>();
    PBATCH_RETURN_IF_ERROR(
        w->multiply(product, context.float_backend, context.pool, context.buffers));
    PBATCH_ASSIGN_OR_RETURN(const auto r, FloatRecurrentWeights::create(gates, tiled.r));
    FloatRecurrentProduct recurrent(r, gates, io.batch(), context.float_backend, context.pool,
                                    context.buffers);
    RecurrentCall call = io.call(xw.data<float>(), gates.rows(), d, d);
    if (tiled.r_bias.size() != 0) call.r_bias = tiled.r_bias.data<float>();
    if (tiled.peephole.size() != 0) call.peephole = tiled.peephole.data<float>();
    const std::shared_ptr<void> states =
        context.buffers.take(recurrent_scratch_bytes(spec, io.batch()));
    if (states == nullptr) {
      return {ErrorCode::out_of_memory, "no memory for the states of a recurrent layer",
              "free memory or use a smaller batch"};
    }
    return run_recurrent(spec, call, recurrent, states.get());
  }

  std::array<RecurrentSpec, 2> specs_;
  int directions_, layout_;
};

Result<std::unique_ptr<Op>> make(const Node& node, std::size_t most_inputs,
                                 std::size_t most_outputs) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 3, most_inputs, most_outputs));
  PBATCH_ASSIGN_OR_RETURN(const std::string direction, node.string_attr("direction", "forward"));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t layout, node.int_attr("layout", 0));
  if (layout != 0 && layout != 1) {
    return Status(ErrorCode::malformed, "unknown layout " + std::to_string(layout),
                  "it is 0 or 1; export the network again");
  }
  const int directions = direction == "bidirectional" ? 2 : 1;
  std::array<RecurrentSpec, 2> specs;
  for (int d = 0; d < directions; ++d) {
    PBATCH_ASSIGN_OR_RETURN(specs[static_cast<std::size_t>(d)],
                            read_recurrent_spec(node, node.op_type, d));
  }
  return std::unique_ptr<Op>(new OnnxRecurrent(specs, directions, static_cast<int>(layout)));
}

}  // namespace

Result<std::unique_ptr<Op>> make_rnn(const Graph&, const Node& node) { return make(node, 6, 2); }
Result<std::unique_ptr<Op>> make_gru(const Graph&, const Node& node) { return make(node, 6, 2); }
Result<std::unique_ptr<Op>> make_lstm(const Graph&, const Node& node) { return make(node, 8, 3); }

}  // namespace pbatch
