// EyeLike: ones on a diagonal of a matrix of zeros.
#include <cstring>
#include <optional>

#include "execute/op.h"
#include "execute/ops/convert.h"
#include "execute/ops/node_checks.h"
#include "graph/onnx_dtype.h"

namespace pbatch {
namespace {

class EyeLike final : public Op {
 public:
  EyeLike(std::optional<DType> type, std::int64_t diagonal) : type_(type), diagonal_(diagonal) {}

  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    const Tensor& x = *inputs[0];
    if (x.rank() != 2) {
      return {ErrorCode::shape_mismatch, "EyeLike of shape " + shape_to_string(x.shape()),
              "feed a matrix"};
    }
    PBATCH_ASSIGN_OR_RETURN(Tensor eye, context.allocate(DType::i8, x.shape()));
    for (std::int64_t i = 0; i < eye.size(); ++i) {
      const std::int64_t row = i / x.dim(1), col = i % x.dim(1);
      eye.mutable_data<std::int8_t>()[i] = col - row == diagonal_ ? 1 : 0;
    }
    PBATCH_ASSIGN_OR_RETURN(outputs[0], convert(context, eye, type_.value_or(x.dtype())));
    return Status::ok();
  }

 private:
  std::optional<DType> type_;
  std::int64_t diagonal_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_eye_like(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t diagonal, node.int_attr("k", 0));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t code, node.int_attr("dtype", 0));
  const std::optional<DType> type = dtype_from_onnx(code);
  if (code != 0 && !type) {
    return Status(ErrorCode::unsupported, "EyeLike of " + onnx_type_name(code),
                  "use float32 or integers");
  }
  return std::unique_ptr<Op>(new EyeLike(type, diagonal));
}

}  // namespace pbatch
