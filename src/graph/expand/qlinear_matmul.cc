// QLinearMatMul: both operands back to floats, MatMul, and codes of the result.
#include "graph/expand/quantized.h"

namespace pbatch {

Status expand_qlinear_matmul(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(8, 8));
  const ValueId a = dequantized_input(e, 0, -2), b = dequantized_input(e, 3, -1);
  quantized_result(e, e.op("MatMul", {a, b}), 6);
  return Status::ok();
}

}  // namespace pbatch
