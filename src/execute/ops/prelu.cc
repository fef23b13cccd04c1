// PRelu: below zero, x times a slope that broadcasts to x.
#include "execute/op.h"
#include "execute/ops/binary.h"
#include "execute/ops/node_checks.h"

namespace pbatch {
namespace {

struct SlopeBelowZero {
  static constexpr bool kPartial = false;
  static float apply(float x, float slope) { return x < 0.0F ? slope * x : x; }
};

constexpr BinaryTable kPrelu = binary_table<SlopeBelowZero>(Types<float>{});

class Prelu final : public Op {
 public:
  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    PBATCH_ASSIGN_OR_RETURN(Tensor y,
                            apply_binary(kPrelu, "PRelu", context, *inputs[0], *inputs[1]));
    if (y.shape() != inputs[0]->shape()) {
      return {ErrorCode::shape_mismatch,
              "slope " + shape_to_string(inputs[1]->shape()) + " of PRelu does not broadcast to " +
                  shape_to_string(inputs[0]->shape()),
              "feed the shape that the network was trained on"};
    }
    outputs[0] = std::move(y);
    return Status::ok();
  }
};

}  // namespace

Result<std::unique_ptr<Op>> make_prelu(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 2));
  return std::unique_ptr<Op>(new Prelu);
}

}  // namespace pbatch
