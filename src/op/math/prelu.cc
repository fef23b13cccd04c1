// PRelu: below zero, x times a slope that broadcasts to x.
#include "op/math/binary.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

struct SlopeBelowZero {
  static constexpr bool kPartial = false;
  static float apply(float x, float slope) { return x < 0.0F ? slope * x : x; }
};

constexpr BinaryTable kPrelu = binary_table<SlopeBelowZero>(Types<float>{});

class Prelu final : public Op {
 public:
  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor &x = *request.inputs[0], &slope = *request.inputs[1];
    PBATCH_ASSIGN_OR_RETURN(StepPlan plan,
                            plan_binary(kPrelu, "PRelu", x, slope, common_layout(request)));
    if (plan.outputs[0].shape != x.shape()) {
      return Status(ErrorCode::shape_mismatch,
                    "slope " + shape_to_string(slope.shape()) + " of PRelu does not broadcast to " +
                        shape_to_string(x.shape()),
                    "feed the shape that the network was trained on");
    }
    return plan;
  }

  Layout wanted_layout(const PlanRequest& request, std::size_t) const override {
    return common_layout(request);
  }
};

}  // namespace

Result<std::unique_ptr<Op>> make_prelu(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 2));
  return std::unique_ptr<Op>(new Prelu);
}

}  // namespace pbatch
