#include "op/bits/bit_layer.h"

#include <algorithm>

#include "layout/conv_columns.h"
#include "op/bits/bit_convolution.h"
#include "quantize/dequantize.h"

namespace pbatch {

Result<std::unique_ptr<Op>> make_conv(const Graph& graph, const Node& node);
Result<std::unique_ptr<Op>> make_linear_op(const Graph& graph, const Node& node);

namespace {

// From the columns of ConvColumnOrder to [rows][channels][taps].
Result<Tensor> channels_first(const Tensor& weight, std::int64_t taps) {
  const std::int64_t rows = weight.dim(0), cols = weight.dim(1);
  const ConvColumnOrder order{cols / taps, taps};
  PBATCH_ASSIGN_OR_RETURN(Tensor turned, Tensor::create(DType::f32, {rows, cols}));
  const float* from = weight.data<float>();
  for (std::int64_t r = 0; r < rows; ++r) {
    float* const to = turned.mutable_data<float>() + r * cols;
    for (std::int64_t c = 0; c < cols; ++c) {
      to[order.channel_of(c) * taps + order.tap_of(c)] = *from++;
    }
  }
  return turned;
}

}  // namespace

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

Result<const BitLayer::Twin*> BitLayer::twin_of(int weight_bits) const {
  const int planes = weight_bits == 32 ? all_planes(matrix()) : weight_bits;
  const std::lock_guard lock(twin_mutex_);
  auto found = twins_.find(planes);
  if (found == twins_.end()) {
    PBATCH_ASSIGN_OR_RETURN(Twin twin, build_float_twin(planes));
    found = twins_.emplace(planes, std::move(twin)).first;
  }
  return &found->second;
}

Result<StepPlan> BitLayer::plan_float(const PlanRequest& request, int weight_bits) const {
  PBATCH_ASSIGN_OR_RETURN(const Twin* twin, twin_of(weight_bits));
  std::vector<const Tensor*> inputs{request.inputs[0]};
  std::vector<const void*> constants;  // weight, bias
  for (std::size_t id = 1; id < twin->graph->values.size(); ++id) {
    inputs.push_back(&*twin->graph->values[id].constant);
    constants.push_back(inputs.back()->raw());
  }
  std::vector<Layout> layouts;
  if (request.layouts_may_differ()) {
    layouts.assign(inputs.size(), Layout::plain);
    layouts[0] = request.layout(0);
  }
  PBATCH_ASSIGN_OR_RETURN(StepPlan planned, twin->op->plan({request.context, inputs, 1, layouts}));
  StepPlan plan = StepPlan::of(
      planned.outputs, [constants, step = std::shared_ptr<const Step>(std::move(planned.step))](
                           const StepCall& call) {
        const void* in[3] = {call.in[0]};
        std::copy(constants.begin(), constants.end(), in + 1);
        StepCall inner = call;
        inner.in = in;
        return step->run(inner);
      });
  plan.scratch_bytes = planned.scratch_bytes;
  plan.layout = planned.layout;
  std::int64_t vectors = 1;  // of the result, which has the matrix's rows per vector
  for (const std::int64_t d : plan.outputs[0].shape) vectors *= d;
  plan.info = float_info(matrix(), vectors / std::max<std::int64_t>(matrix().rows, 1));
  return plan;
}

Result<BitLayer::Twin> BitLayer::build_float_twin(int planes) const {
  PBATCH_RETURN_IF_ERROR(check_planes(matrix(), planes));
  const bool conv = node_.op_type == "BitConv";
  Twin made{std::make_unique<Graph>(), nullptr};
  Graph& graph = *made.graph;
  const ValueId x = graph.add_value({.name = "x"});
  // Linear keeps its weight as [cols][rows], Conv as [rows][channels][kernel...].
  PBATCH_ASSIGN_OR_RETURN(Tensor weight, dequantize(matrix(), planes, /*transposed=*/!conv));
  if (conv) {
    PBATCH_ASSIGN_OR_RETURN(const std::vector<std::int64_t> kernel,
                            node_.ints_attr("kernel_shape", {}));
    std::int64_t taps = 1;
    for (const std::int64_t k : kernel) taps *= k;
    taps = std::max<std::int64_t>(taps, 1);
    PBATCH_ASSIGN_OR_RETURN(const ConvColumns columns, conv_columns(node_));
    if (columns == ConvColumns::channel_blocks) {
      PBATCH_ASSIGN_OR_RETURN(weight, channels_first(weight, taps));
    }
    Shape shape{matrix().rows, matrix().cols / taps};
    shape.insert(shape.end(), kernel.begin(), kernel.end());
    weight = weight.reshaped(std::move(shape));
  }
  const ValueId w = graph.add_value({.name = "w", .constant = std::move(weight)});
  Node twin = node_;
  twin.matrix = nullptr;
  twin.op_type = conv ? "Conv" : "Linear";
  twin.inputs = {x, w};
  if (has_bias_) twin.inputs.push_back(graph.add_value({.name = "b", .constant = bias_}));
  PBATCH_ASSIGN_OR_RETURN(made.op, (conv ? make_conv : make_linear_op)(graph, twin));
  return made;
}

}  // namespace pbatch
