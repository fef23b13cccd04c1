// Cast to the type of an attribute, CastLike to that of the second input.
#include <optional>

#include "execute/op.h"
#include "execute/ops/convert.h"
#include "execute/ops/node_checks.h"
#include "graph/onnx_dtype.h"

namespace pbatch {
namespace {

class Cast final : public Op {
 public:
  explicit Cast(std::optional<DType> to) : to_(to) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    return plan_convert(*request.inputs[0], to_ ? *to_ : request.inputs[1]->dtype());
  }

 private:
  std::optional<DType> to_;  ///< none: that of the second input
};

}  // namespace

Result<std::unique_ptr<Op>> make_cast(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
  if (!node.has_attr("to")) {
    return Status(ErrorCode::malformed, "Cast has no attribute 'to'",
                  "the exporter wrote an invalid node; export the model again");
  }
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t code, node.int_attr("to", 0));
  const std::optional<DType> type = dtype_from_onnx(code);
  if (!type) {
    return Status(ErrorCode::unsupported, "Cast to " + onnx_type_name(code) + " is not supported",
                  "cast to float32 instead");
  }
  return std::unique_ptr<Op>(new Cast(type));
}

Result<std::unique_ptr<Op>> make_cast_like(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 2));
  return std::unique_ptr<Op>(new Cast(std::nullopt));
}

}  // namespace pbatch
