// com.microsoft QLinearAdd, QLinearSigmoid and their kin: floats, the operator, codes.
#include "graph/expand/quantized.h"

namespace pbatch {
namespace {

Status expand_binary(Expansion& e, const char* op_type) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(7, 8));
  const ValueId a = dequantized_input(e, 0), b = dequantized_input(e, 3);
  quantized_result(e, e.op(op_type, {a, b}), 6);
  return Status::ok();
}

Status expand_unary(Expansion& e, const char* op_type, Expansion::Attributes attributes) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(4, 5));
  const ValueId x = dequantized_input(e, 0);
  quantized_result(e, e.op(op_type, {x}, std::move(attributes)), 3);
  return Status::ok();
}

Status expand_pool(Expansion& e, const char* op_type) {
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t last, e.node().int_attr("channels_last", 0));
  if (last != 0) return e.unsupported("has its channels last", "quantize without that layout");
  Expansion::Attributes attributes = e.node().attributes;
  attributes.erase("channels_last");
  return expand_unary(e, op_type, std::move(attributes));
}

}  // namespace

Status expand_qlinear_add(Expansion& e) { return expand_binary(e, "Add"); }
Status expand_qlinear_mul(Expansion& e) { return expand_binary(e, "Mul"); }
Status expand_qlinear_sigmoid(Expansion& e) { return expand_unary(e, "Sigmoid", {}); }

Status expand_qlinear_leaky_relu(Expansion& e) {
  return expand_unary(e, "LeakyRelu", e.node().attributes);
}

Status expand_qlinear_average_pool(Expansion& e) { return expand_pool(e, "AveragePool"); }

Status expand_qlinear_global_average_pool(Expansion& e) {
  return expand_pool(e, "GlobalAveragePool");
}

// Softmax as ONNX had it before opset 13 differs unless the axis is the last one.
Status expand_qlinear_softmax(Expansion& e) {
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t axis, e.node().int_attr("axis", -1));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t opset, e.node().int_attr("opset", 13));
  if (axis != -1 && (opset < 13) != (e.opset() < 13)) {
    return e.unsupported("has the meaning of another opset", "quantize with the last axis");
  }
  return expand_unary(e, "Softmax", {{"axis", axis}});
}

Status expand_qlinear_where(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(8, 9));
  const ValueId x = dequantized_input(e, 1), y = dequantized_input(e, 4);
  quantized_result(e, e.op("Where", {e.in(0), x, y}), 7);
  return Status::ok();
}

Status expand_qlinear_concat(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(5, e.node().inputs.size()));
  Expansion::Values parts;
  for (std::size_t i = 2; i + 2 < e.node().inputs.size(); i += 3) {
    parts.push_back(dequantized_input(e, i));
  }
  quantized_result(e, e.op("Concat", std::move(parts), e.node().attributes), 0);
  return Status::ok();
}

}  // namespace pbatch
