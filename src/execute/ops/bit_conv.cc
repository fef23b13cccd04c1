// pbatch.BitConv: ONNX Conv of one group whose weights are bit-layers, as a
// product over tiles of im2col rows.
#include <algorithm>

#include "execute/conv_geometry.h"
#include "execute/im2col.h"
#include "execute/input_observer.h"
#include "execute/matrix_cache.h"
#include "execute/op.h"
#include "execute/ops/bit_layer.h"
#include "execute/ops/float_checks.h"

namespace pbatch {
namespace {

// Windows per tile: enough for the batched kernels, small enough to stay in cache.
constexpr std::int64_t kTilePositions = 128;

// A product for every tile of an image's windows.
struct Tiles {
  ConvGeometry geometry;
  BitGemmCall layer;  // bits, bias and activation
  std::shared_ptr<const PreparedMatrix> matrix;
  std::int64_t tile = 0;  // windows

  std::int64_t cols() const { return matrix->matrix->cols; }
  std::int64_t rows() const { return matrix->matrix->rows; }
  std::size_t column_bytes() const { return line_up(tile * cols()); }
  std::size_t product_bytes() const { return line_up(tile * rows()); }
  std::size_t scratch_bytes() const {
    return column_bytes() + product_bytes() +
           bit_gemm_scratch_bytes(*matrix, tile, layer.activation_bits);
  }
  static std::size_t line_up(std::int64_t floats) {
    return (static_cast<std::size_t>(floats) * sizeof(float) + 63) / 64 * 64;
  }

  Status run(const StepCall& step) const {
    auto* const memory = static_cast<char*>(step.scratch);
    auto* const columns = reinterpret_cast<float*>(memory);
    BitGemmCall call = layer;
    call.phases = step.phases;
    call.x = columns;
    call.ldx = cols();
    call.y = reinterpret_cast<float*>(memory + column_bytes());
    call.ldy = rows();
    void* const scratch = memory + column_bytes() + product_bytes();
    const std::int64_t positions = geometry.positions();
    const std::int64_t image = geometry.channels * product_of(geometry.in, 0, geometry.in.size());
    for (std::int64_t n = 0; n < geometry.batch; ++n) {
      const float* const source = step.input<float>(0) + n * image;
      float* const target = step.output<float>(0) + n * rows() * positions;
      for (std::int64_t begin = 0; begin < positions; begin += tile) {
        call.batch = std::min(tile, positions - begin);
        step.pool.parallel_for(call.batch, 16, [&](std::int64_t first, std::int64_t last) {
          im2col(geometry, source, geometry.channels, begin + first, begin + last,
                 columns + first * cols());
        });
        if (InputObserver* const observer = ObserveInputs::of_this_thread()) {
          observer->observe(*matrix->matrix, 0, rows(), columns, call.batch, cols());
        }
        PBATCH_RETURN_IF_ERROR(bit_gemm(*matrix, call, step.pool, step.buffers, scratch));
        step.pool.parallel_for(rows(), 16, [&](std::int64_t first, std::int64_t last) {
          for (std::int64_t r = first; r < last; ++r) {
            for (std::int64_t i = 0; i < call.batch; ++i) {
              target[r * positions + begin + i] = call.y[i * rows() + r];
            }
          }
        });
      }
    }
    return Status::ok();
  }
};

class BitConv final : public Op {
 public:
  BitConv(std::unique_ptr<BitLayer> layer, WindowAttributes window, std::string name)
      : layer_(std::move(layer)), window_(std::move(window)), name_(std::move(name)) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const LayerPrecision& precision = request.context.precision.of(name_);
    if (precision.weight_bits == 32) return layer_->plan_float(request);
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
    if (geometry.batch * geometry.positions() == 0) {
      return StepPlan::of(y, [](const StepCall&) { return Status::ok(); });
    }
    Tiles tiles{geometry, layer_->call(precision), nullptr,
                std::min(geometry.positions(), kTilePositions)};
    PBATCH_ASSIGN_OR_RETURN(tiles.matrix, layer_->weights().get(precision, tiles.tile));
    const std::size_t scratch = tiles.scratch_bytes();
    StepPlan plan = StepPlan::of(
        y, [tiles = std::move(tiles)](const StepCall& call) { return tiles.run(call); });
    plan.scratch_bytes = scratch;
    const std::int64_t positions = geometry.positions(), tile = std::min(positions, kTilePositions);
    PBATCH_ASSIGN_OR_RETURN(plan.info, layer_->weights().plan(precision, tile));
    plan.info.predicted_us *= static_cast<double>(geometry.batch * ((positions + tile - 1) / tile));
    return plan;
  }

  void choose_kernels_by(const KernelPolicy& policy) override { layer_->choose_kernels_by(policy); }

  Status prepare(const LayerPrecision& precision) const override {
    if (precision.weight_bits == 32) return layer_->prepare_float();
    return layer_->weights().get(precision, kTilePositions).status();
  }

  Result<PlanStep> describe(const LayerPrecision& precision, std::int64_t) const override {
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
