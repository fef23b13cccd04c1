// QLinearConv: input and weights back to floats, Conv, and codes of the result.
#include "graph/expand/quantized.h"

namespace pbatch {

Status expand_qlinear_conv(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(8, 9));
  const ValueId x = dequantized_input(e, 0), w = dequantized_input(e, 3, 0);
  ValueId bias = kNoValue;
  if (e.has(8)) {
    const ValueId scale = e.op("Mul", {e.in(1), e.in(4)});
    bias = e.op("Mul", {e.cast(e.in(8), DType::f32), scale});
  }
  quantized_result(e, e.op("Conv", {x, w, bias}, e.node().attributes), 6);
  return Status::ok();
}

}  // namespace pbatch
