// com.microsoft Gelu, BiasGelu, FastGelu and QuickGelu.
#include "graph/expand/expansion.h"

namespace pbatch {
namespace {

Status expand_gelu_of(Expansion& e, const char* approximate) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(1, 2));
  const ValueId x = e.add_if(e.in(0), e.in(1));
  e.result(0, e.op("Gelu", {x}, {{"approximate", std::string(approximate)}}));
  return Status::ok();
}

}  // namespace

Status expand_gelu(Expansion& e) { return expand_gelu_of(e, "none"); }
Status expand_fast_gelu(Expansion& e) { return expand_gelu_of(e, "tanh"); }

Status expand_quick_gelu(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(1, 1));
  PBATCH_ASSIGN_OR_RETURN(const float alpha, e.node().float_attr("alpha", 1.702F));
  const ValueId gate = e.op("Sigmoid", {e.op("Mul", {e.in(0), e.scalar(alpha)})});
  e.result(0, e.op("Mul", {e.in(0), gate}));
  return Status::ok();
}

}  // namespace pbatch
