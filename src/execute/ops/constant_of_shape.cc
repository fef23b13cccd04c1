// ConstantOfShape: one value, everywhere in a shape that a tensor gives.
#include "execute/op.h"
#include "execute/ops/data_checks.h"
#include "execute/ops/node_checks.h"

namespace pbatch {
namespace {

class ConstantOfShape final : public Op {
 public:
  explicit ConstantOfShape(Tensor value) : value_(std::move(value)) {}

  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    PBATCH_ASSIGN_OR_RETURN(Shape shape, read_integers(*inputs[0], "the shape"));
    PBATCH_ASSIGN_OR_RETURN(outputs[0], context.allocate(value_.dtype(), std::move(shape)));
    fill_elements(outputs[0].mutable_raw(), outputs[0].size(), value_.raw(),
                  dtype_size(value_.dtype()));
    return Status::ok();
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
