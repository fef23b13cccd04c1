// Size: the number of elements of the input, as an int64 scalar.
#include "execute/op.h"
#include "execute/ops/data_checks.h"
#include "execute/ops/node_checks.h"

namespace pbatch {
namespace {

class Size final : public Op {
 public:
  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    PBATCH_ASSIGN_OR_RETURN(outputs[0], context.allocate(DType::i64, {}));
    *outputs[0].mutable_data<std::int64_t>() = inputs[0]->size();
    return Status::ok();
  }
};

}  // namespace

Result<std::unique_ptr<Op>> make_size(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
  return std::unique_ptr<Op>(new Size);
}

}  // namespace pbatch
