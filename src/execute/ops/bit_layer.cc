#include "execute/ops/bit_layer.h"

#include <algorithm>

#include "isa/isa.h"
#include "pack/layout.h"
#include "plan/builtin_costs.h"
#include "plan/choose_kernel.h"
#include "quantize/dequantize.h"

namespace pbatch {
namespace {

Status missing_planes(const BitMatrix& m, int weight_bits) {
  const bool cut = m.planes_available() < m.planes_stored;
  return {ErrorCode::precision_unavailable,
          std::to_string(weight_bits) + " weight bits asked for, but " +
              (cut ? "the data file was cut and holds " : "the model has ") +
              std::to_string(m.planes_available()) + " bit-layers of this matrix" +
              (cut ? " of " + std::to_string(m.planes_stored) : ""),
          cut ? "ask for fewer bits or restore the data file"
              : "ask for fewer bits or quantize with more planes"};
}

}  // namespace

Status check_has_matrix(const Node& node) {
  if (node.matrix != nullptr) return Status::ok();
  return {ErrorCode::malformed, "a pbatch operator without its bit-layers",
          "make the model anew with 'pbatch quantize'"};
}

int all_planes(const BitMatrix& m) { return std::max(1, m.planes_available()); }

Status check_planes(const BitMatrix& m, int weight_bits) {
  if (weight_bits > m.planes_available()) return missing_planes(m, weight_bits);
  return m.verify_planes ? m.verify_planes(weight_bits) : Status::ok();
}

BitLayer::BitLayer(std::shared_ptr<const BitMatrix> matrix)
    : matrix_(matrix), cache_(std::move(matrix)) {}

Result<std::unique_ptr<BitLayer>> BitLayer::create(const Graph& graph, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_has_matrix(node));
  PBATCH_ASSIGN_OR_RETURN(const Isa isa, select_isa());
  std::unique_ptr<BitLayer> layer(new BitLayer(node.matrix));
  layer->policy_ = {isa, builtin_costs(isa)};
  layer->node_ = node;
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

Result<std::shared_ptr<const PreparedMatrix>> BitLayer::get(const LayerPrecision& precision,
                                                            std::int64_t batch) const {
  PBATCH_RETURN_IF_ERROR(check_planes(*matrix_, precision.weight_bits));
  return cache_.get(kernel_for(precision, batch), precision.weight_bits);
}

void BitLayer::choose_kernels_by(const KernelPolicy& policy) {
  policy_ = policy;
  chosen_.clear();
}

const BitKernel& BitLayer::kernel_for(const LayerPrecision& precision, std::int64_t batch) const {
  return chosen_.get(
      {precision.weight_bits, precision.activation_bits, batch}, [&]() -> auto& {
        const GemmShape shape{matrix_->rows,
                              matrix_->cols,
                              batch,
                              precision.weight_bits,
                              precision.activation_bits,
                              policy_.threads,
                              policy_.network_plane_bytes};
        return choose_kernel(shape, policy_.isa, *policy_.costs);
      });
}

BitGemmCall BitLayer::call(const LayerPrecision& precision) const {
  BitGemmCall call;
  call.activation_bits = precision.activation_bits;
  call.bias = has_bias_ ? bias_.data<float>() : nullptr;
  call.activation = activation_;
  return call;
}

Result<PlanStep> BitLayer::plan(const LayerPrecision& precision, std::int64_t batch) const {
  PlanStep step;
  step.rows = matrix_->rows;
  step.cols = matrix_->cols;
  if (precision.weight_bits == 32) {
    step.weight_bytes = step.rows * step.cols * 4;
    return step;
  }
  if (precision.weight_bits > matrix_->planes_available()) {
    return missing_planes(*matrix_, precision.weight_bits);
  }
  const BitKernel& kernel = kernel_for(precision, batch);
  step.kernel = kernel.name;
  step.weight_bits = precision.weight_bits;
  step.activation_bits = precision.activation_bits;
  const int run = matrix_->group == 0 ? kMaxRunCols : std::min<int>(matrix_->group, kMaxRunCols);
  step.weight_bytes =
      weight_bytes_read(kernel.layout,
                        {.rows = step.rows, .cols = step.cols, .weight_bits = step.weight_bits}) +
      row_blocks(step.rows) * kBlockRows * ((step.cols + run - 1) / run) + step.rows * 4;
  if (kernel.layout == kLayoutRowLanes) step.repack = "nibbles to row lanes";
  if (kernel.layout == kLayoutColumnBytes) step.repack = "nibbles to column bytes";
  if (kernel.layout == kLayoutFields) step.repack = "planes to fields";
  return step;
}

Status BitLayer::prepare_float() const {
  const std::lock_guard lock(twin_mutex_);
  if (twin_ != nullptr) return Status::ok();
  PBATCH_ASSIGN_OR_RETURN(twin_, build_float_twin());
  return Status::ok();
}

Status BitLayer::run_float(RunContext& context, const Tensor& x, std::span<Tensor> outputs) const {
  PBATCH_RETURN_IF_ERROR(prepare_float());
  std::vector<const Tensor*> inputs{&x};
  for (std::size_t id = 1; id < twin_graph_->values.size(); ++id) {  // weight, bias
    inputs.push_back(&*twin_graph_->values[id].constant);
  }
  return twin_->run(context, inputs, outputs);
}

Result<std::unique_ptr<Op>> BitLayer::build_float_twin() const {
  PBATCH_RETURN_IF_ERROR(check_planes(*matrix_, all_planes(*matrix_)));
  const bool conv = node_.op_type == "BitConv";
  auto graph = std::make_unique<Graph>();
  const ValueId x = graph->add_value({.name = "x"});
  // Linear keeps its weight as [cols][rows], Conv as [rows][channels][kernel...].
  PBATCH_ASSIGN_OR_RETURN(Tensor weight,
                          dequantize(*matrix_, matrix_->planes_available(), /*transposed=*/!conv));
  if (conv) {
    PBATCH_ASSIGN_OR_RETURN(const std::vector<std::int64_t> kernel,
                            node_.ints_attr("kernel_shape", {}));
    std::int64_t taps = 1;
    for (const std::int64_t k : kernel) taps *= k;
    Shape shape{matrix_->rows, matrix_->cols / std::max<std::int64_t>(taps, 1)};
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
