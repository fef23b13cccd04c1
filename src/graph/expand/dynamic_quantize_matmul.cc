// com.microsoft DynamicQuantizeMatMul and MatMulIntegerToFloat: what ONNX Runtime fuses of
// DynamicQuantizeLinear, MatMulInteger, Cast, Mul and Add.
#include "graph/expand/quantized.h"

namespace pbatch {

// The activations stay floats: they are quantized for the product alone.
Status expand_dynamic_quantize_matmul(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(3, 5));
  Expansion::Attributes axis;
  if (e.opset() >= 13) axis["axis"] = std::int64_t{-1};
  const ValueId w = e.op("DequantizeLinear", {e.in(1), e.in(2), e.in(3)}, axis);
  e.result(0, e.add_if(e.op("MatMul", {e.in(0), w}), e.in(4)));
  return Status::ok();
}

Status expand_matmul_integer_to_float(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(4, 7));
  const ValueId sums = e.op("MatMulInteger", {e.in(0), e.in(1), e.in(4), e.in(5)});
  const ValueId scale = e.op("Mul", {e.in(2), e.in(3)});
  const ValueId y = e.op("Mul", {e.cast(sums, DType::f32), scale});
  e.result(0, e.add_if(y, e.in(6)));
  return Status::ok();
}

}  // namespace pbatch
