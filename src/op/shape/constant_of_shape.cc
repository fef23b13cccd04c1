// ConstantOfShape: one value, everywhere in a shape that a tensor gives.
#include "op/data_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

class ConstantOfShape final : public Op {
 public:
  explicit ConstantOfShape(Tensor value) : value_(std::move(value)) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    if (!request.knows(0)) return StepPlan::not_yet();
    PBATCH_ASSIGN_OR_RETURN(Shape shape, read_integers(*request.inputs[0], "the shape"));
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t count,
                            checked_element_count(shape, dtype_size(value_.dtype())));
    return StepPlan::of({value_.dtype(), std::move(shape)},
                        [value = value_, count](const StepCall& call) {
                          fill_elements(call.out[0], count, value.raw(), dtype_size(value.dtype()));
                          return Status::ok();
                        });
  }

 private:
  Tensor value_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_constant_of_shape(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
  const auto it = node.attributes.find("value");
  if (it == node.attributes.end()) {
    PBATCH_ASSIGN_OR_RETURN(Tensor zero, Tensor::create(DType::f32, {}));
    *zero.mutable_data<float>() = 0.0F;
    return std::unique_ptr<Op>(new ConstantOfShape(std::move(zero)));
  }
  const Tensor* value = std::get_if<Tensor>(&it->second);
  if (value == nullptr || value->size() != 1) {
    return Status(ErrorCode::malformed, "attribute value is not a tensor of one element",
                  "export the network again");
  }
  return std::unique_ptr<Op>(new ConstantOfShape(*value));
}

}  // namespace pbatch
