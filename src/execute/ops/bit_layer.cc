#include "execute/ops/bit_layer.h"

#include <algorithm>

#include "quantize/dequantize.h"

namespace pbatch {

Result<std::unique_ptr<BitLayer>> BitLayer::create(const Graph& graph, const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(auto weights, BitWeights::create(node));
  std::unique_ptr<BitLayer> layer(new BitLayer(node, std::move(weights)));
  PBATCH_ASSIGN_OR_RETURN(const std::string activation, node.string_attr("activation", ""));
  if (activation == "relu") {
    layer->activation_ = Activation::relu;
  } else if (!activation.empty()) {
    return Status(ErrorCode::unsupported, "unknown activation '" + activation + "'",
                  "update pbatch or make the model anew");
  }
  if (node.inputs.size() > 1 && node.inputs[1] != kNoValue) {
    const Tensor* bias = graph.constant(node.inputs[1]);
    if (bias == nullptr || bias->dtype() != DType::f32 || bias->size() != node.matrix->rows) {
      return Status(
          ErrorCode::malformed,
          "the bias must be a constant of " + std::to_string(node.matrix->rows) + " float32 values",
          "make the model anew with 'pbatch quantize'");
    }
    layer->bias_ = *bias;
    layer->has_bias_ = true;
  }
  return layer;
}

BitGemmCall BitLayer::call(const LayerPrecision& precision) const {
  BitGemmCall call;
  call.activation_bits = precision.activation_bits;
  call.bias = has_bias_ ? bias_.data<float>() : nullptr;
  call.activation = activation_;
  return call;
}

Status BitLayer::prepare_float() const {
  const std::lock_guard lock(twin_mutex_);
  if (twin_ != nullptr) return Status::ok();
  PBATCH_ASSIGN_OR_RETURN(twin_, build_float_twin());
  return Status::ok();
}

Result<StepPlan> BitLayer::plan_float(const PlanRequest& request) const {
  PBATCH_RETURN_IF_ERROR(prepare_float());
  std::vector<const Tensor*> inputs{request.inputs[0]};
  std::vector<const void*> constants;  // weight, bias
  for (std::size_t id = 1; id < twin_graph_->values.size(); ++id) {
    inputs.push_back(&*twin_graph_->values[id].constant);
    constants.push_back(inputs.back()->raw());
  }
  PBATCH_ASSIGN_OR_RETURN(StepPlan twin, twin_->plan({request.context, inputs, 1}));
  StepPlan plan = StepPlan::of(
      twin.outputs,
      [constants, step = std::shared_ptr<const Step>(std::move(twin.step))](const StepCall& call) {
        const void* in[3] = {call.in[0]};
        std::copy(constants.begin(), constants.end(), in + 1);
        StepCall inner = call;
        inner.in = in;
        return step->run(inner);
      });
  plan.scratch_bytes = twin.scratch_bytes;
  return plan;
}

Result<std::unique_ptr<Op>> BitLayer::build_float_twin() const {
  PBATCH_RETURN_IF_ERROR(check_planes(matrix(), all_planes(matrix())));
  const bool conv = node_.op_type == "BitConv";
  auto graph = std::make_unique<Graph>();
  const ValueId x = graph->add_value({.name = "x"});
  // Linear keeps its weight as [cols][rows], Conv as [rows][channels][kernel...].
  PBATCH_ASSIGN_OR_RETURN(Tensor weight,
                          dequantize(matrix(), matrix().planes_available(), /*transposed=*/!conv));
  if (conv) {
    PBATCH_ASSIGN_OR_RETURN(const std::vector<std::int64_t> kernel,
                            node_.ints_attr("kernel_shape", {}));
    std::int64_t taps = 1;
    for (const std::int64_t k : kernel) taps *= k;
    Shape shape{matrix().rows, matrix().cols / std::max<std::int64_t>(taps, 1)};
    shape.insert(shape.end(), kernel.begin(), kernel.end());
    weight = weight.reshaped(std::move(shape));
  }
  const ValueId w = graph->add_value({.name = "w", .constant = std::move(weight)});
  Node twin = node_;
  twin.matrix = nullptr;
  twin.op_type = conv ? "Conv" : "Linear";
  twin.inputs = {x, w};
  if (has_bias_) twin.inputs.push_back(graph->add_value({.name = "b", .constant = bias_}));
  PBATCH_ASSIGN_OR_RETURN(const OpFactory factory, find_op(twin));
  twin_graph_ = std::move(graph);  // operators may keep references into it
  return factory(*twin_graph_, twin);
}

}  // namespace pbatch
