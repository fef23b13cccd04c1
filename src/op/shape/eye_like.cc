// EyeLike: ones on a diagonal of a matrix of zeros.
#include <cstring>
#include <optional>

#include "graph/onnx_dtype.h"
#include "op/convert.h"
#include "op/elements.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

class EyeLike final : public Op {
 public:
  EyeLike(std::optional<DType> type, std::int64_t diagonal) : type_(type), diagonal_(diagonal) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    if (x.rank() != 2) {
      return Status(ErrorCode::shape_mismatch, "EyeLike of shape " + shape_to_string(x.shape()),
                    "feed a matrix");
    }
    const DType type = type_.value_or(x.dtype());
    PBATCH_ASSIGN_OR_RETURN(Tensor one, Tensor::create(DType::i8, {}));
    *one.mutable_data<std::int8_t>() = 1;
    PBATCH_ASSIGN_OR_RETURN(one, convert(request.context, one, type));
    return StepPlan::of({type, x.shape()}, [one, rows = x.dim(0), cols = x.dim(1),
                                            diagonal = diagonal_](const StepCall& call) {
      const std::size_t bytes = one.bytes();
      if (rows * cols != 0) {  // zero has no bit set, whatever the type
        std::memset(call.out[0], 0, static_cast<std::size_t>(rows * cols) * bytes);
      }
      for (std::int64_t row = 0; row < rows; ++row) {
        std::int64_t col = 0;
        if (__builtin_add_overflow(row, diagonal, &col) || col < 0 || col >= cols) continue;
        std::memcpy(element_at(call.out[0], row * cols + col, bytes), one.raw(), bytes);
      }
      return Status::ok();
    });
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
