// pbatch.BitConv: ONNX Conv of one group whose weights are bit-layers.
#include "cost/float_convolution.h"
#include "op/bits/bit_convolution.h"
#include "op/bits/bit_layer.h"
#include "op/float_checks.h"
#include "op/op.h"
#include "product/conv_geometry.h"
#include "product/matrix_cache.h"
#include "product/runs.h"

namespace pbatch {
namespace {

class BitConv final : public Op {
 public:
  BitConv(std::unique_ptr<BitLayer> layer, WindowAttributes window, ConvColumns columns,
          std::string name)
      : layer_(std::move(layer)),
        window_(std::move(window)),
        columns_(columns),
        name_(std::move(name)) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const LayerPrecision& precision = request.context.precision.of(name_);
    if (precision.weight_bits == 32) return layer_->plan_float(request);
    if (runs_in_float(precision, request.context.precision.exact)) {
      PBATCH_ASSIGN_OR_RETURN(StepPlan plan, layer_->plan_float(request, precision.weight_bits));
      plan.info.kernel = kFloatKernel;
      plan.info.weight_bits = precision.weight_bits;
      plan.info.rows = layer_->matrix().rows;
      plan.info.cols = layer_->matrix().cols;
      plan.info.weight_bytes = plan.info.rows * plan.info.cols * 4;
      return plan;
    }
    const Tensor& x = *request.inputs[0];
    if (x.dtype() != DType::f32) {
      return Status(ErrorCode::shape_mismatch, std::string("input is ") + dtype_name(x.dtype()),
                    "feed float32");
    }
    PBATCH_ASSIGN_OR_RETURN(const ConvGeometry geometry,
                            make_geometry(window_, x.shape(), window_.kernel));
    const BitMatrix& m = layer_->matrix();
    if (geometry.channels * geometry.kernel_size() != m.cols) {
      return Status(ErrorCode::shape_mismatch,
                    "input of shape " + shape_to_string(x.shape()) + " does not have the " +
                        std::to_string(m.cols / geometry.kernel_size()) +
                        " channels of the weights",
                    "feed the shape that the network was trained on");
    }
    const TensorType y{DType::f32, geometry.output_shape(m.rows)};
    const Layout y_layout = request.layouts_may_differ() ? Layout::channels_last : Layout::plain;
    if (geometry.batch * geometry.positions() == 0) {
      return StepPlan::of(y, [](const StepCall&) { return Status::ok(); }).in_layout(y_layout);
    }
    const Layout x_layout = request.layouts_may_differ() && has_one_layout(x.shape())
                                ? Layout::channels_last
                                : request.layout(0);
    const std::int64_t tile = BitConvolution::tile_of(geometry);
    PBATCH_ASSIGN_OR_RETURN(auto matrix, layer_->weights().get(precision, tile));
    PlanStep info = layer_->weights().info(*matrix, precision.activation_bits, tile);
    const std::int64_t positions = geometry.positions();
    info.predicted_us *= static_cast<double>(geometry.batch * ((positions + tile - 1) / tile));
    info.macs = m.rows * m.cols * positions * geometry.batch;
    PBATCH_ASSIGN_OR_RETURN(
        auto convolution,
        BitConvolution::create(geometry, x_layout, y_layout, columns_, layer_->call(precision),
                               std::move(matrix), layer_->weights().isa()));
    const std::size_t scratch = convolution->scratch_bytes();
    StepPlan plan = StepPlan::of(y, [convolution = std::move(convolution)](const StepCall& call) {
      return convolution->run(call);
    });
    plan.scratch_bytes = scratch;
    plan.layout = y_layout;
    plan.info = std::move(info);
    return plan;
  }

  Layout wanted_layout(const PlanRequest& request, std::size_t i) const override {
    if (i != 0) return Layout::plain;
    return layout_for_convolution(request.inputs[0]->shape(), request.layout(0));
  }

  void choose_kernels_by(const KernelPolicy& policy) override { layer_->choose_kernels_by(policy); }

 private:
  static constexpr const char* kFloatKernel = "float: faster than bits";

  bool runs_in_float(const LayerPrecision& precision, bool exact) const {
    const BitMatrix& m = layer_->matrix();
    if (exact || precision.weight_bits > m.planes_available()) return false;
    ConvolutionSize shape;
    shape.rows = m.rows;
    for (const std::int64_t k : window_.kernel) shape.taps *= k;
    shape.channels = m.cols / shape.taps;
    // Windows of the older order are gathered number by number, which no product makes up for.
    if (shape.taps > 1 && columns_ == ConvColumns::channels_first) return true;
    shape.kernel_rows = shape.taps / window_.kernel.back();
    shape.run_blocks = run_blocks_of(m);
    return float_convolution_is_faster(shape, precision.weight_bits, precision.activation_bits,
                                       layer_->weights().isa());
  }

  std::unique_ptr<BitLayer> layer_;
  WindowAttributes window_;
  ConvColumns columns_;
  std::string name_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_bit_conv(const Graph& graph, const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(auto layer, BitLayer::create(graph, node));
  PBATCH_ASSIGN_OR_RETURN(WindowAttributes window, read_window_attributes(node));
  std::int64_t taps = 1;
  bool fits = !window.kernel.empty() && window.kernel.size() <= 3;
  for (const std::int64_t k : window.kernel) fits = fits && !__builtin_mul_overflow(taps, k, &taps);
  if (!fits || layer->matrix().cols % taps != 0) {
    return Status(ErrorCode::malformed, "kernel_shape does not fit the weights",
                  "make the model anew with 'pbatch quantize'");
  }
  PBATCH_ASSIGN_OR_RETURN(const ConvColumns columns, conv_columns(node));
  return std::unique_ptr<Op>(new BitConv(std::move(layer), std::move(window), columns, node.name));
}

}  // namespace pbatch
