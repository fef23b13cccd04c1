// MeanVarianceNormalization and LpNormalization, by reductions.
#include "graph/expand/expansion.h"

namespace pbatch {

Status expand_mean_variance_normalization(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(1, 1));
  PBATCH_ASSIGN_OR_RETURN(const std::vector<std::int64_t> axes,
                          e.node().ints_attr("axes", {0, 2, 3}));
  const ValueId mean = e.reduce("ReduceMean", e.in(0), axes);
  const ValueId centred = e.op("Sub", {e.in(0), mean});
  const ValueId variance = e.reduce("ReduceMean", e.op("Mul", {centred, centred}), axes);
  const ValueId deviation = e.op("Add", {e.op("Sqrt", {variance}), e.scalar(1e-9F)});
  e.result(0, e.op("Div", {centred, deviation}));
  return Status::ok();
}

// A vector of zeros stays one.
Status expand_lp_normalization(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(1, 1));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t axis, e.node().int_attr("axis", -1));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t p, e.node().int_attr("p", 2));
  if (p != 1 && p != 2) return e.unsupported("has p = " + std::to_string(p), "use p = 1 or 2");
  const ValueId norm = e.reduce(p == 1 ? "ReduceL1" : "ReduceL2", e.in(0), {axis});
  const ValueId is_zero = e.cast(e.op("Equal", {norm, e.scalar(0.0F)}), DType::f32);
  e.result(0, e.op("Div", {e.in(0), e.op("Add", {norm, is_zero})}));
  return Status::ok();
}

}  // namespace pbatch
