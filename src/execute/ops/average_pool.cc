// AveragePool and GlobalAveragePool.
#include <vector>

#include "execute/dnnl_pooling.h"
#include "execute/op.h"
#include "execute/ops/float_checks.h"
#include "execute/ops/global_window.h"
#include "execute/ops/node_checks.h"

namespace pbatch {
namespace {

// Windows at position p of dimension d divide by the whole kernel in oneDNN; in
// ONNX what lies behind the pads, as ceil_mode allows, does not count.
float overcount(const ConvGeometry& g, std::size_t d, std::int64_t p) {
  const std::int64_t padded = g.in[d] + g.pads_begin[d] + g.pads_end[d];
  const Taps taps = taps_inside(p * g.strides[d], padded, g.kernel[d], g.dilations[d]);
  return static_cast<float>(g.kernel[d]) / static_cast<float>(taps.end - taps.begin);
}

bool hangs_over(const ConvGeometry& g) {
  for (std::size_t d = 0; d < g.spatial_rank(); ++d) {
    const std::int64_t last = (g.out[d] - 1) * g.strides[d] + g.extent(d);
    if (last > g.in[d] + g.pads_begin[d] + g.pads_end[d]) return true;
  }
  return false;
}

void correct_count(const ConvGeometry& g, float* y) {
  const std::int64_t positions = g.positions();
  std::vector<float> factor(static_cast<std::size_t>(positions), 1.0F);
  for (std::int64_t p = 0; p < positions; ++p) {
    std::int64_t rest = p;
    for (std::size_t d = g.spatial_rank(); d-- > 0; rest /= g.out[d]) {
      factor[static_cast<std::size_t>(p)] *= overcount(g, d, rest % g.out[d]);
    }
  }
  for (std::int64_t image = 0; image < g.batch * g.channels; ++image, y += positions) {
    for (std::int64_t p = 0; p < positions; ++p) y[p] *= factor[static_cast<std::size_t>(p)];
  }
}

class AveragePool final : public Op {
 public:
  AveragePool(WindowAttributes window, bool with_padding)
      : window_(std::move(window)),
        with_padding_(with_padding),
        poolings_(with_padding ? Pooling::average_with_padding : Pooling::average) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor* x = input_or_null(request.inputs, 0);
    PBATCH_RETURN_IF_ERROR(expect_float(x, "input X"));
    PBATCH_ASSIGN_OR_RETURN(const ConvGeometry geometry,
                            make_geometry(window_, x->shape(), window_.kernel));
    TensorType y{DType::f32, geometry.output_shape(x->dim(1))};
    if (product_of(y.shape, 0, y.shape.size()) == 0) {
      return StepPlan::of(std::move(y), [](const StepCall&) { return Status::ok(); });
    }
    const bool corrected = with_padding_ && hangs_over(geometry);
    return StepPlan::of(std::move(y), [this, geometry, corrected](const StepCall& call) -> Status {
      PBATCH_RETURN_IF_ERROR(poolings_.run(geometry, DType::f32, call.in[0], call.out[0],
                                           call.pool.lend(), call.buffers));
      if (corrected) correct_count(geometry, call.output<float>(0));
      return Status::ok();
    });
  }

 private:
  WindowAttributes window_;
  bool with_padding_;
  mutable DnnlPoolings poolings_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_average_pool(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
  PBATCH_ASSIGN_OR_RETURN(WindowAttributes window, read_window_attributes(node));
  PBATCH_RETURN_IF_ERROR(require_kernel(window));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t with_padding, node.int_attr("count_include_pad", 0));
  return std::unique_ptr<Op>(new AveragePool(std::move(window), with_padding != 0));
}

Result<std::unique_ptr<Op>> make_global_average_pool(const Graph&, const Node& node) {
  return make_global_pool(node, Pooling::average);
}

}  // namespace pbatch
