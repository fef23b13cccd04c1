// com.microsoft QGemm: Gemm over codes; the result is float where no output scale is given.
#include "graph/expand/quantized.h"

namespace pbatch {

Status expand_qgemm(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(6, 9));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t trans_b, e.node().int_attr("transB", 0));
  PBATCH_ASSIGN_OR_RETURN(const float alpha, e.node().float_attr("alpha", 1.0F));
  const ValueId a = dequantized_input(e, 0), b = dequantized_input(e, 3, trans_b != 0 ? 0 : 1);
  ValueId c = kNoValue;
  if (e.has(6)) {
    const ValueId scale = e.op("Mul", {e.op("Mul", {e.in(1), e.in(4)}), e.scalar(alpha)});
    c = e.op("Mul", {e.cast(e.in(6), DType::f32), scale});
  }
  const ValueId y = e.op("Gemm", {a, b, c}, e.node().attributes);
  if (e.has(7)) {
    quantized_result(e, y, 7);
  } else {
    e.result(0, y);
  }
  return Status::ok();
}

}  // namespace pbatch
