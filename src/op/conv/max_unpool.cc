// MaxUnpool: the elements that MaxPool took, back in their places among zeros.
#include <algorithm>
#include <limits>

#include "op/conv/global_window.h"
#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"
#include "product/conv_geometry.h"

namespace pbatch {
namespace {

class MaxUnpool final : public Op {
 public:
  explicit MaxUnpool(WindowAttributes window) : window_(std::move(window)) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    const Tensor& places = *request.inputs[1];
    PBATCH_RETURN_IF_ERROR(expect_float(&x, "input X"));
    if (places.dtype() != DType::i64 || places.shape() != x.shape()) {
      return Status(
          ErrorCode::shape_mismatch,
          "indices are " + describe_tensor(places) + " for X " + shape_to_string(x.shape()),
          "feed the output Indices of MaxPool");
    }
    PBATCH_ASSIGN_OR_RETURN(const Shape pooled, pooled_shape(x.shape()));
    Shape shape = pooled;
    if (const Tensor* given = input_or_null(request.inputs, 2); given != nullptr) {
      if (!request.knows(2)) return StepPlan::not_yet();
      PBATCH_ASSIGN_OR_RETURN(shape, read_integers(*given, "output_shape"));
      bool holds = shape.size() == pooled.size();
      for (std::size_t d = 0; holds && d < shape.size(); ++d) holds = shape[d] >= pooled[d];
      if (!holds) {
        return Status(ErrorCode::shape_mismatch,
                      "output_shape is " + shape_to_string(shape) + ", smaller than " +
                          shape_to_string(pooled),
                      "feed the shape that MaxPool read");
      }
    }
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t count, checked_element_count(shape, sizeof(float)));
    const std::int64_t counted = product_of(pooled, 0, pooled.size());
    return StepPlan::of({DType::f32, shape}, [=, items = x.size()](const StepCall& call) -> Status {
      float* const to = call.output<float>(0);
      std::fill_n(to, count, 0.0F);
      for (std::int64_t i = 0; i < items; ++i) {
        std::int64_t rest = call.input<std::int64_t>(1)[i];
        if (rest < 0 || rest >= counted) return index_out_of_range(rest, counted);
        std::int64_t place = 0, stride = 1;
        for (std::size_t d = shape.size(); d-- > 0; rest /= pooled[d]) {
          place += rest % pooled[d] * stride;
          stride *= shape[d];
        }
        to[place] = call.input<float>(0)[i];
      }
      return Status::ok();
    });
  }

 private:
  // What the windows reach; the indices count its elements.
  Result<Shape> pooled_shape(const Shape& x) const {
    const std::size_t rank = window_.kernel.size();
    const bool strides_fit = window_.strides.empty() || window_.strides.size() == rank;
    const bool pads_fit = window_.pads.empty() || window_.pads.size() == 2 * rank;
    if (x.size() != rank + 2 || !strides_fit || !pads_fit) {
      return Status(ErrorCode::shape_mismatch,
                    "X " + shape_to_string(x) + " does not fit a kernel of " +
                        shape_to_string(window_.kernel),
                    "feed [batch, channels, spatial...]");
    }
    Shape shape = x;
    for (std::size_t d = 0; d < rank; ++d) {
      const std::int64_t stride = window_.strides.empty() ? 1 : window_.strides[d];
      const std::int64_t pads = window_.pads.empty() ? 0 : window_.pads[d] + window_.pads[rank + d];
      if (x[d + 2] > std::numeric_limits<std::int32_t>::max()) {
        return Status(ErrorCode::unsupported, "X " + shape_to_string(x) + " is too large",
                      "split the input");
      }
      shape[d + 2] = x[d + 2] == 0 ? 0 : (x[d + 2] - 1) * stride - pads + window_.kernel[d];
    }
    PBATCH_RETURN_IF_ERROR(checked_element_count(shape, sizeof(float)).status());
    return shape;
  }

  WindowAttributes window_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_max_unpool(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 3));
  PBATCH_ASSIGN_OR_RETURN(WindowAttributes window, read_window_attributes(node));
  PBATCH_RETURN_IF_ERROR(require_kernel(window));
  return std::unique_ptr<Op>(new MaxUnpool(std::move(window)));
}

}  // namespace pbatch
