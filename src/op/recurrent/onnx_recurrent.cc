// RNN, LSTM and GRU as ONNX has them, with weights that only the run knows. Those with constant
// weights become pbatch.Linear and pbatch.Recurrent before (graph/split_recurrent.cc).
#include <array>
#include <string>
#include <vector>

#include "graph/recurrent_weights.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"
#include "op/recurrent/recurrent_float.h"
#include "op/recurrent/recurrent_io.h"
#include "op/scratch.h"

namespace pbatch {
namespace {

class OnnxRecurrent final : public Op {
 public:
  OnnxRecurrent(std::array<RecurrentSpec, 2> specs, int directions, int layout)
      : specs_(specs), directions_(directions), layout_(layout) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const std::span<const Tensor* const> inputs = request.inputs;
    const GateTiles& gates = specs_[0].gates;
    const bool lstm = gates.cell == CellType::lstm;
    RecurrentInputs in;
    in.x = input_or_null(inputs, 0);
    in.lengths = input_or_null(inputs, 4);
    in.initial_h = input_or_null(inputs, 5);
    if (lstm) in.initial_c = input_or_null(inputs, 6);
    OnnxRecurrentWeights weights{input_or_null(inputs, 1), input_or_null(inputs, 2),
                                 input_or_null(inputs, 3),
                                 lstm ? input_or_null(inputs, 7) : nullptr};
    PBATCH_RETURN_IF_ERROR(check_recurrent_weights(weights, gates, directions_));
    PBATCH_ASSIGN_OR_RETURN(const RecurrentIo io,
                            RecurrentIo::create(in, gates.hidden, directions_, layout_));
    if (weights.w->dim(2) != in.x->dim(2)) {
      return Status(ErrorCode::shape_mismatch,
                    "input X is " + shape_to_string(in.x->shape()) + ", but W is " +
                        shape_to_string(weights.w->shape()),
                    "feed the shape that the network was exported with");
    }
    std::vector<TensorType> types;
    for (const Tensor* input : inputs) {
      types.push_back(input != nullptr ? TensorType{input->dtype(), input->shape()} : TensorType{});
    }
    Scratch scratch;
    ScratchLayout layout;
    scratch.xw = layout.add<float>(io.steps() * io.batch() * gates.rows());
    scratch.states = layout.add(recurrent_scratch_bytes(specs_[0], io.batch()));
    StepPlan plan = StepPlan::of(
        io.types(directions_, lstm ? 3 : 2),
        [this, io, types = std::move(types), scratch, backend = request.context.float_backend](
            const StepCall& call) { return run_all(io, types, scratch, backend, call); });
    plan.scratch_bytes = layout.bytes();
    return plan;
  }

 private:
  struct Scratch {
    std::size_t xw = 0, states = 0;
  };

  // The weights are known only now, so both directions are tiled in every run.
  Status run_all(const RecurrentIo& io, const std::vector<TensorType>& types,
                 const Scratch& scratch, FloatBackend backend, const StepCall& call) const {
    const bool lstm = specs_[0].gates.cell == CellType::lstm;
    const auto data = [&](std::size_t i) { return i < types.size() ? call.in[i] : nullptr; };
    std::array<Tensor, 8> given;
    const auto weight = [&](std::size_t i) -> const Tensor* {
      if (data(i) == nullptr) return nullptr;
      given[i] = Tensor::view(types[i].dtype, types[i].shape, data(i), nullptr);
      return &given[i];
    };
    const OnnxRecurrentWeights weights{weight(1), weight(2), weight(3), lstm ? weight(7) : nullptr};
    RecurrentData all;
    all.lengths = static_cast<const std::int32_t*>(data(4));
    all.initial_h = static_cast<const float*>(data(5));
    if (lstm) all.initial_c = static_cast<const float*>(data(6));
    all.y = call.output<float>(0);
    all.y_h = call.output<float>(1);
    if (lstm) all.y_c = call.output<float>(2);
    PBATCH_RETURN_IF_ERROR(io.check_lengths(all.lengths));
    for (int d = 0; d < directions_; ++d) {
      PBATCH_RETURN_IF_ERROR(run_direction(weights, d, io, all, scratch, backend, call));
    }
    return Status::ok();
  }

  Status run_direction(const OnnxRecurrentWeights& weights, int d, const RecurrentIo& io,
                       const RecurrentData& data, const Scratch& scratch, FloatBackend backend,
                       const StepCall& step) const {
    const RecurrentSpec& spec = specs_[static_cast<std::size_t>(d)];
    const GateTiles& gates = spec.gates;
    PBATCH_ASSIGN_OR_RETURN(const DirectionWeights tiled, tile_direction(weights, gates, d));
    PBATCH_ASSIGN_OR_RETURN(const auto w,
                            FloatMatrix::create(tiled.w, FloatMatrix::Layout::cols_rows));
    FloatGemmCall product;
    product.x = step.input<float>(0);
    product.batch = io.steps() * io.batch();
    product.y = scratch_at<float>(step, scratch.xw);
    product.bias = tiled.bias.data<float>();
    PBATCH_RETURN_IF_ERROR(w->multiply(product, backend, step.pool, step.buffers));
    PBATCH_ASSIGN_OR_RETURN(const auto r, FloatRecurrentWeights::create(gates, tiled.r));
    FloatRecurrentProduct recurrent(r, gates, io.batch(), backend, step.pool, step.buffers);
    RecurrentCall call = io.call(data, product.y, gates.rows(), d, d, directions_);
    if (tiled.r_bias.size() != 0) call.r_bias = tiled.r_bias.data<float>();
    if (tiled.peephole.size() != 0) call.peephole = tiled.peephole.data<float>();
    return run_recurrent(spec, call, recurrent, scratch_at<char>(step, scratch.states));
  }

  std::array<RecurrentSpec, 2> specs_;
  int directions_, layout_;
};

Result<std::unique_ptr<Op>> make_cells(const Node& node, std::size_t most_inputs,
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

Result<std::unique_ptr<Op>> make_rnn(const Graph&, const Node& node) {
  return make_cells(node, 6, 2);
}
Result<std::unique_ptr<Op>> make_gru(const Graph&, const Node& node) {
  return make_cells(node, 6, 2);
}
Result<std::unique_ptr<Op>> make_lstm(const Graph&, const Node& node) {
  return make_cells(node, 8, 3);
}

}  // namespace pbatch
