// InstanceNormalization and GroupNormalization: groups of channels of each image
// get mean 0 and deviation 1.
#include <algorithm>

#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"
#include "op/reduce/normalize.h"

namespace pbatch {
namespace {

class GroupNormalization final : public Op {
 public:
  // groups 0: one group per channel. Scale and bias have one number per channel or per group.
  GroupNormalization(std::int64_t groups, bool per_channel, float epsilon)
      : groups_(groups), per_channel_(per_channel), epsilon_(epsilon) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor* x = input_or_null(request.inputs, 0);
    const Tensor* scale = input_or_null(request.inputs, 1);
    const Tensor* bias = input_or_null(request.inputs, 2);
    PBATCH_RETURN_IF_ERROR(expect_float(x, "input X"));
    PBATCH_RETURN_IF_ERROR(expect_float(scale, "the scale"));
    PBATCH_RETURN_IF_ERROR(expect_float(bias, "the bias"));
    const std::int64_t channels = x->rank() < 2 ? 0 : x->dim(1);
    const std::int64_t groups = groups_ == 0 ? channels : groups_;
    const Shape wanted{per_channel_ ? channels : groups};
    if (x->rank() < 2 || (groups != 0 && channels % groups != 0) || scale->shape() != wanted ||
        bias->shape() != wanted) {
      return Status(ErrorCode::shape_mismatch,
                    "scale " + shape_to_string(scale->shape()) + ", bias " +
                        shape_to_string(bias->shape()) + " and " + std::to_string(groups) +
                        " groups do not fit X " + shape_to_string(x->shape()),
                    "feed the shape that the network was trained on");
    }
    Groups g;
    g.plane = product_of(x->shape(), 2, x->rank());
    g.count = x->size() == 0 ? 0 : x->dim(0) * groups;
    g.groups = std::max<std::int64_t>(groups, 1);
    g.channels = channels / g.groups;
    g.per_channel = per_channel_;
    g.epsilon = epsilon_;
    return StepPlan::of({DType::f32, x->shape()}, [g](const StepCall& call) {
      call.pool.parallel_for(
          g.count, 1, [&](std::int64_t begin, std::int64_t end) { g.normalize(call, begin, end); });
      return Status::ok();
    });
  }

 private:
  struct Groups {
    std::int64_t plane = 0, count = 0;      // elements of a channel; groups of all images
    std::int64_t groups = 1, channels = 0;  // of an image, of a group
    bool per_channel = false;
    float epsilon = 0.0F;

    void normalize(const StepCall& call, std::int64_t begin, std::int64_t end) const {
      const std::int64_t size = channels * plane;
      for (std::int64_t g = begin; g < end; ++g) {
        const float* const from = call.input<float>(0) + g * size;
        float* const to = call.output<float>(0) + g * size;
        const Moments m = moments_of(from, size, epsilon);
        for (std::int64_t i = 0; i < size; ++i) {
          const std::int64_t group = g % groups;
          const std::int64_t at = per_channel ? group * channels + i / plane : group;
          to[i] = (from[i] - m.mean) * m.inverse_deviation * call.input<float>(1)[at] +
                  call.input<float>(2)[at];
        }
      }
    }
  };

  std::int64_t groups_;
  bool per_channel_;
  float epsilon_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_instance_normalization(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 3, 3));
  PBATCH_ASSIGN_OR_RETURN(const float epsilon, node.float_attr("epsilon", 1e-5F));
  return std::unique_ptr<Op>(new GroupNormalization(0, true, epsilon));
}

Result<std::unique_ptr<Op>> make_group_normalization(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 3, 3));
  PBATCH_ASSIGN_OR_RETURN(const float epsilon, node.float_attr("epsilon", 1e-5F));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t groups, node.int_attr("num_groups", 0));
  if (groups < 1) {
    return Status(ErrorCode::malformed, "attribute num_groups is " + std::to_string(groups),
                  "export the network again");
  }
  const bool per_channel = node.opset >= 21;  // before, scale and bias were per group
  return std::unique_ptr<Op>(new GroupNormalization(groups, per_channel, epsilon));
}

}  // namespace pbatch
