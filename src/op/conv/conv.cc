// Conv, and pbatch.Conv: Conv with attribute "activation".
#include <utility>

#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"
#include "product/activate.h"
#include "product/dnnl_convolution.h"

namespace pbatch {
namespace {

Status check_conv_shapes(const Tensor& x, const Tensor& w, const Tensor* bias,
                         std::int64_t groups) {
  const auto mismatch = [&](const std::string& why) {
    return Status(ErrorCode::shape_mismatch,
                  "X " + shape_to_string(x.shape()) + " does not fit W " +
                      shape_to_string(w.shape()) + " with " + std::to_string(groups) +
                      " groups: " + why,
                  "feed the shape that the network was trained on");
  };
  if (x.rank() != w.rank() || x.rank() < 3) return mismatch("ranks differ or are less than 3");
  if (x.rank() > 5) {
    return {ErrorCode::unsupported,
            "convolution over " + std::to_string(x.rank() - 2) + " dimensions",
            "use at most 3 spatial dimensions"};
  }
  if (w.dim(0) % groups != 0) return mismatch("output channels are no multiple of the groups");
  if (x.dim(1) % groups != 0 || x.dim(1) / groups != w.dim(1)) {
    return mismatch("W takes another number of channels");
  }
  if (bias != nullptr && bias->shape() != Shape{w.dim(0)}) {
    return mismatch("the bias has shape " + shape_to_string(bias->shape()));
  }
  return Status::ok();
}

// Elements of the input.
std::int64_t input_size(const ConvolutionShape& shape) {
  const ConvGeometry& g = shape.geometry;
  return g.batch * g.channels * product_of(g.in, 0, g.in.size());
}

class Conv final : public Op {
 public:
  Conv(WindowAttributes window, std::int64_t groups, Activation activation, bool constant_weights)
      : window_(std::move(window)),
        groups_(groups),
        activation_(activation),
        convolutions_(std::make_unique<DnnlConvolutions>(constant_weights)) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor* x = input_or_null(request.inputs, 0);
    const Tensor* w = input_or_null(request.inputs, 1);
    const Tensor* bias = input_or_null(request.inputs, 2);
    PBATCH_RETURN_IF_ERROR(expect_float(x, "input X"));
    PBATCH_RETURN_IF_ERROR(expect_float(w, "input W"));
    if (bias != nullptr) PBATCH_RETURN_IF_ERROR(expect_float(bias, "input B"));
    PBATCH_RETURN_IF_ERROR(check_conv_shapes(*x, *w, bias, groups_));
    const Shape kernel(w->shape().begin() + 2, w->shape().end());
    ConvolutionShape shape;
    PBATCH_ASSIGN_OR_RETURN(shape.geometry, make_geometry(window_, x->shape(), kernel));
    shape.outputs = w->dim(0);
    shape.groups = groups_;
    if (request.layouts_may_differ()) {
      shape.x_layout = has_one_layout(x->shape()) ? Layout::channels_last : request.layout(0);
      shape.y_layout = Layout::channels_last;
    }
    const TensorType y{DType::f32, shape.geometry.output_shape(shape.outputs)};
    const std::int64_t count = product_of(y.shape, 0, y.shape.size());
    if (count == 0) {
      return StepPlan::of(y, [](const StepCall&) { return Status::ok(); })
          .in_layout(shape.y_layout);
    }
    const bool has_bias = bias != nullptr;
    const bool by_image = request.context.float_backend == FloatBackend::by_row;
    const std::int64_t images = by_image ? std::exchange(shape.geometry.batch, 1) : 1;
    return StepPlan::of(y,
                        [this, shape, count, has_bias, images](const StepCall& step) -> Status {
                          ConvolutionCall call;
                          call.x = step.input<float>(0);
                          call.w = step.input<float>(1);
                          call.bias = has_bias ? step.input<float>(2) : nullptr;
                          call.y = step.output<float>(0);
                          const std::int64_t x_size = input_size(shape), y_size = count / images;
                          for (std::int64_t i = 0; i < images; ++i) {
                            PBATCH_RETURN_IF_ERROR(
                                convolutions_->run(shape, call, step.pool.lend(), step.buffers));
                            call.x += x_size;
                            call.y += y_size;
                          }
                          activate(activation_, step.output<float>(0), count, step.pool);
                          return Status::ok();
                        })
        .in_layout(shape.y_layout);
  }

  Layout wanted_layout(const PlanRequest& request, std::size_t i) const override {
    if (i != 0) return Layout::plain;
    return layout_for_convolution(request.inputs[0]->shape(), request.layout(0));
  }

 private:
  WindowAttributes window_;
  std::int64_t groups_;
  Activation activation_;
  std::unique_ptr<DnnlConvolutions> convolutions_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_conv(const Graph& graph, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 3));
  PBATCH_ASSIGN_OR_RETURN(WindowAttributes window, read_window_attributes(node));
  window.ceil_mode = false;
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t groups, node.int_attr("group", 1));
  if (groups < 1) {
    return Status(ErrorCode::malformed, "attribute group is " + std::to_string(groups),
                  "export the network again");
  }
  Activation activation = Activation::none;
  if (node.domain == kPbatchDomain) {
    PBATCH_ASSIGN_OR_RETURN(activation, read_activation(node));
  }
  const bool constant_weights = constant_input(graph, node, 1) != nullptr;
  return std::unique_ptr<Op>(new Conv(std::move(window), groups, activation, constant_weights));
}

}  // namespace pbatch
