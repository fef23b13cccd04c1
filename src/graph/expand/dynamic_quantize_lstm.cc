// com.microsoft DynamicQuantizeLSTM: an LSTM whose weights are codes [D, inputs, 4 hidden].
#include "graph/expand/expansion.h"

namespace pbatch {
namespace {

// Codes less zero points, times scales of [D] or [D, 4 hidden], as ONNX's LSTM has weights.
Result<ValueId> weights(Expansion& e, std::size_t codes, std::size_t scale, std::size_t zero) {
  const Tensor* scales = e.constant(scale);
  if (scales == nullptr || scales->rank() < 1 || scales->rank() > 2) {
    return e.unsupported("has scales that are computed", "export the network again");
  }
  const bool per_row = scales->rank() == 2;
  const auto spread = [&](ValueId x) {
    return per_row ? e.unsqueeze(x, {1}) : e.unsqueeze(x, {1, 2});
  };
  const ValueId centred =
      e.op("Sub", {e.cast(e.in(codes), DType::f32), spread(e.cast(e.in(zero), DType::f32))});
  return e.transpose(e.op("Mul", {centred, spread(e.in(scale))}), {0, 2, 1});
}

}  // namespace

Status expand_dynamic_quantize_lstm(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(3, 12));
  for (std::size_t i = 8; i < 12; ++i) {
    if (!e.has(i)) return e.malformed("lacks its input " + std::to_string(i));
  }
  PBATCH_ASSIGN_OR_RETURN(const ValueId w, weights(e, 1, 8, 9));
  PBATCH_ASSIGN_OR_RETURN(const ValueId r, weights(e, 2, 10, 11));
  const Expansion::Values made = e.ops(
      "LSTM", {e.in(0), w, r, e.in(3), e.in(4), e.in(5), e.in(6), e.in(7)}, 3, e.node().attributes);
  for (std::size_t i = 0; i < made.size(); ++i) e.result(i, made[i]);
  return Status::ok();
}

}  // namespace pbatch
