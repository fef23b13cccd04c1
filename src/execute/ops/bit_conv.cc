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
#include "plan/float_convolution.h"

namespace pbatch {
namespace {

// Windows per tile: enough for the batched kernels, small enough to stay in cache.
constexpr std::int64_t kTilePositions = 128;

// A product for every tile of an image's windows.
struct Tiles {
  ConvGeometry geometry;
  Layout x_layout = Layout::plain, y_layout = Layout::plain;
  BitGemmCall layer;  // bits, bias and activation
  std::shared_ptr<const PreparedMatrix> matrix;
  std::int64_t tile = 0;  // windows

  std::int64_t cols() const { return matrix->matrix->cols; }
  std::int64_t rows() const { return matrix->matrix->rows; }

  // Windows of one element, one behind the other: the image is the matrix of windows.
  bool windows_are_pixels() const {
    if (x_layout == Layout::plain && geometry.channels != 1) return false;
    for (std::size_t d = 0; d < geometry.spatial_rank(); ++d) {
      if (geometry.kernel[d] != 1 || geometry.strides[d] != 1 ||
          geometry.in[d] != geometry.out[d]) {
        return false;
      }
    }
    return true;
  }
  std::size_t column_bytes() const { return windows_are_pixels() ? 0 : line_up(tile * cols()); }
  std::size_t product_bytes() const {
    return y_layout == Layout::channels_last ? 0 : line_up(tile * rows());
  }
  std::size_t scratch_bytes() const {
    return column_bytes() + product_bytes() +
           bit_gemm_scratch_bytes(*matrix, tile, layer.activation_bits);
  }
  static std::size_t line_up(std::int64_t floats) {
    return (static_cast<std::size_t>(floats) * sizeof(float) + 63) / 64 * 64;
  }

  void gather(const float* image, std::int64_t begin, std::int64_t end, float* columns) const {
    if (x_layout == Layout::channels_last) {
      im2col_channels_last(geometry, image, begin, end, columns);
    } else {
      im2col(geometry, image, geometry.channels, begin, end, columns);
    }
  }

  Status run(const StepCall& step) const {
    auto* const memory = static_cast<char*>(step.scratch);
    auto* const columns = reinterpret_cast<float*>(memory);
    auto* const products = reinterpret_cast<float*>(memory + column_bytes());
    void* const scratch = memory + column_bytes() + product_bytes();
    const bool pixels = windows_are_pixels(), last = y_layout == Layout::channels_last;
    BitGemmCall call = layer;
    call.phases = step.phases;
    call.ldx = cols();
    call.ldy = rows();
    const std::int64_t positions = geometry.positions();
    const std::int64_t image = geometry.channels * product_of(geometry.in, 0, geometry.in.size());
    for (std::int64_t n = 0; n < geometry.batch; ++n) {
      const float* const source = step.input<float>(0) + n * image;
      float* const target = step.output<float>(0) + n * rows() * positions;
      for (std::int64_t begin = 0; begin < positions; begin += tile) {
        call.batch = std::min(tile, positions - begin);
        call.x = pixels ? source + begin * cols() : columns;
        call.y = last ? target + begin * rows() : products;
        if (!pixels) {
          step.pool.parallel_for(call.batch, 16, [&](std::int64_t first, std::int64_t end) {
            gather(source, begin + first, begin + end, columns + first * cols());
          });
        }
        if (InputObserver* const observer = ObserveInputs::of_this_thread()) {
          observer->observe(*matrix->matrix, 0, rows(), call.x, call.batch, cols());
        }
        PBATCH_RETURN_IF_ERROR(bit_gemm(*matrix, call, step.pool, step.buffers, scratch));
        if (last) continue;
        step.pool.parallel_for(rows(), 16, [&](std::int64_t first, std::int64_t end) {
          for (std::int64_t r = first; r < end; ++r) {
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
    Tiles tiles{geometry, x_layout,
                y_layout, layer_->call(precision),
                nullptr,  std::min(geometry.positions(), kTilePositions)};
    PBATCH_ASSIGN_OR_RETURN(tiles.matrix, layer_->weights().get(precision, tiles.tile));
    const std::size_t scratch = tiles.scratch_bytes();
    const std::int64_t positions = geometry.positions(), tile = tiles.tile;
    PlanStep info = layer_->weights().info(*tiles.matrix, precision.activation_bits, tile);
    info.predicted_us *= static_cast<double>(geometry.batch * ((positions + tile - 1) / tile));
    info.macs = m.rows * m.cols * positions * geometry.batch;
    StepPlan plan = StepPlan::of(
        y, [tiles = std::move(tiles)](const StepCall& call) { return tiles.run(call); });
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

  std::int64_t taps() const {
    std::int64_t taps = 1;
    for (const std::int64_t k : window_.kernel) taps *= k;
    return taps;
  }

  bool runs_in_float(const LayerPrecision& precision, bool exact) const {
    const BitMatrix& m = layer_->matrix();
    return !exact && precision.weight_bits <= m.planes_available() &&
           float_convolution_is_faster(m.rows, m.cols, taps(), precision.weight_bits,
                                       precision.activation_bits, layer_->weights().isa());
  }

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
