#include "graph/expand/quantized.h"

namespace pbatch {

ValueId dequantized_input(Expansion& e, std::size_t i, std::int64_t axis) {
  Expansion::Attributes attributes;
  if (e.opset() >= 13) attributes["axis"] = axis;
  return e.op("DequantizeLinear", {e.in(i), e.in(i + 1), e.in(i + 2)}, std::move(attributes));
}

void quantized_result(Expansion& e, ValueId x, std::size_t i) {
  e.result(0, e.op("QuantizeLinear", {x, e.in(i), e.in(i + 1)}));
}

}  // namespace pbatch
