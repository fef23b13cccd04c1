// pbatch.BitConv: ONNX Conv of one group whose weights are bit-layers, as a
// product over tiles of im2col rows.
#include <algorithm>

#include "execute/conv_geometry.h"
#include "execute/im2col.h"
#include "execute/op.h"
#include "execute/ops/bit_layer.h"

namespace pbatch {
namespace {

// Windows per tile: enough for the batched kernels, small enough to stay in cache.
constexpr std::int64_t kTilePositions = 128;

class BitConv final : public Op {
 public:
  BitConv(std::unique_ptr<BitLayer> layer, WindowAttributes window, std::string name)
      : layer_(std::move(layer)), window_(std::move(window)), name_(std::move(name)) {}

  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    const LayerPrecision& precision = context.precision.of(name_);
    if (precision.weight_bits == 32) return layer_->run_float(context, *inputs[0], outputs);
    const Tensor& x = *inputs[0];
    if (x.dtype() != DType::f32) {
      return {ErrorCode::shape_mismatch, std::string("input is ") + dtype_name(x.dtype()),
              "feed float32"};
    }
    PBATCH_ASSIGN_OR_RETURN(const ConvGeometry geometry,
                            make_geometry(window_, x.shape(), window_.kernel));
    const BitMatrix& m = layer_->matrix();
    if (geometry.channels * geometry.kernel_size() != m.cols) {
      return {ErrorCode::shape_mismatch,
              "input of shape " + shape_to_string(x.shape()) + " does not have the " +
                  std::to_string(m.cols / geometry.kernel_size()) + " channels of the weights",
              "feed the shape that the network was trained on"};
    }
    PBATCH_ASSIGN_OR_RETURN(outputs[0],
                            context.allocate(DType::f32, geometry.output_shape(m.rows)));
    if (outputs[0].size() == 0) return Status::ok();
    const std::int64_t positions = geometry.positions();
    const std::int64_t tile = std::min(positions, kTilePositions);
    PBATCH_ASSIGN_OR_RETURN(const auto matrix, layer_->weights().get(precision, tile));
    PBATCH_ASSIGN_OR_RETURN(Tensor columns, context.allocate(DType::f32, {tile, m.cols}));
    PBATCH_ASSIGN_OR_RETURN(Tensor products, context.allocate(DType::f32, {tile, m.rows}));

    BitGemmCall call = layer_->call(precision);
    call.x = columns.data<float>();
    call.ldx = m.cols;
    call.y = products.mutable_data<float>();
    call.ldy = m.rows;
    const std::int64_t image = x.size() / geometry.batch;
    for (std::int64_t n = 0; n < geometry.batch; ++n) {
      const float* const source = x.data<float>() + n * image;
      float* const target = outputs[0].mutable_data<float>() + n * m.rows * positions;
      for (std::int64_t begin = 0; begin < positions; begin += tile) {
        const std::int64_t count = std::min(tile, positions - begin);
        context.pool.parallel_for(count, 16, [&](std::int64_t first, std::int64_t last) {
          im2col(geometry, source, geometry.channels, begin + first, begin + last,
                 columns.mutable_data<float>() + first * m.cols);
        });
        call.batch = count;
        PBATCH_RETURN_IF_ERROR(bit_gemm(*matrix, call, context.pool, context.buffers));
        context.pool.parallel_for(m.rows, 16, [&](std::int64_t first, std::int64_t last) {
          for (std::int64_t r = first; r < last; ++r) {
            for (std::int64_t i = 0; i < count; ++i) {
              target[r * positions + begin + i] = call.y[i * m.rows + r];
            }
          }
        });
      }
    }
    return Status::ok();
  }

  void choose_kernels_by(const KernelPolicy& policy) override { layer_->choose_kernels_by(policy); }

  Status prepare(const LayerPrecision& precision) const override {
    if (precision.weight_bits == 32) return layer_->prepare_float();
    return layer_->weights().get(precision, kTilePositions).status();
  }

  Result<PlanStep> plan(const LayerPrecision& precision, std::int64_t, int) const override {
    return layer_->weights().plan(precision, kTilePositions);
  }

 private:
  std::unique_ptr<BitLayer> layer_;
  WindowAttributes window_;
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
  return std::unique_ptr<Op>(new BitConv(std::move(layer), std::move(window), node.name));
}

}  // namespace pbatch
