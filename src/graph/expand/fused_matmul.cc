// com.microsoft FusedMatMul (once TransposeMatMul): alpha times a product of matrices, the last
// two dimensions of either operand swapped perhaps.
#include "graph/expand/expansion.h"

namespace pbatch {

Status expand_fused_matmul(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(2, 2));
  const Node& node = e.node();
  PBATCH_ASSIGN_OR_RETURN(const float alpha, node.float_attr("alpha", 1.0F));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t trans_a, node.int_attr("transA", 0));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t trans_b, node.int_attr("transB", 0));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t batch_a, node.int_attr("transBatchA", 0));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t batch_b, node.int_attr("transBatchB", 0));
  if (batch_a != 0 || batch_b != 0) {
    return e.unsupported("transposes batch dimensions", "optimize at a lower level");
  }
  const ValueId a = trans_a != 0 ? e.swapped(e.in(0)) : e.in(0);
  const ValueId b = trans_b != 0 ? e.swapped(e.in(1)) : e.in(1);
  const ValueId y = e.op("MatMul", {a, b});
  e.result(0, alpha == 1.0F ? y : e.op("Mul", {y, e.scalar(alpha)}));
  return Status::ok();
}

}  // namespace pbatch
