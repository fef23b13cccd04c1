// SimplifiedLayerNormalization, RMSNormalization, and com.microsoft's normalizations of sums.
#include "graph/expand/expansion.h"

namespace pbatch {
namespace {

// x / sqrt(mean(x^2) + epsilon) scale over the last dimensions; output 1 is the inverse deviation.
ValueId rms_normalized(Expansion& e, ValueId x, ValueId scale, float epsilon,
                       const std::vector<std::int64_t>& axes, ValueId* inverse) {
  const ValueId mean = e.reduce("ReduceMean", e.op("Mul", {x, x}), axes);
  const ValueId deviation = e.op("Sqrt", {e.op("Add", {mean, e.scalar(epsilon)})});
  *inverse = e.op("Reciprocal", {deviation});
  return e.op("Mul", {e.op("Mul", {x, *inverse}), scale});
}

// input + skip (+ bias), which is output 3.
ValueId skip_sum(Expansion& e, ValueId bias) {
  return e.add_if(e.op("Add", {e.in(0), e.in(1)}), bias);
}

}  // namespace

// The axes from `axis` on can be listed only where it counts from the end.
Status expand_rms_normalization(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(2, 2));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t axis, e.node().int_attr("axis", -1));
  PBATCH_ASSIGN_OR_RETURN(const float epsilon, e.node().float_attr("epsilon", 1e-5F));
  std::vector<std::int64_t> axes;
  constexpr std::int64_t kMostDims = 64;
  if (axis < -kMostDims) return e.malformed("has axis " + std::to_string(axis));
  if (axis < 0) {
    for (std::int64_t a = axis; a < 0; ++a) axes.push_back(a);
  } else {
    const std::optional<std::size_t> rank = e.declared_rank(e.in(0));
    if (!rank) return e.unsupported("has an axis from the front", "export it with axis = -1");
    for (auto a = axis; a < static_cast<std::int64_t>(*rank); ++a) axes.push_back(a);
  }
  ValueId inverse = kNoValue;
  e.result(0, rms_normalized(e, e.in(0), e.in(1), epsilon, axes, &inverse));
  e.result(1, inverse);
  return Status::ok();
}

Status expand_skip_layer_normalization(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(3, 5));
  PBATCH_ASSIGN_OR_RETURN(const float epsilon, e.node().float_attr("epsilon", 1e-12F));
  const ValueId sum = skip_sum(e, e.in(4));
  const Expansion::Values made = e.ops("LayerNormalization", {sum, e.in(2), e.in(3)}, 3,
                                       {{"axis", std::int64_t{-1}}, {"epsilon", epsilon}});
  for (std::size_t i = 0; i < 3; ++i) e.result(i, made[i]);
  e.result(3, sum);
  return Status::ok();
}

Status expand_skip_simplified_layer_normalization(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(3, 4));
  PBATCH_ASSIGN_OR_RETURN(const float epsilon, e.node().float_attr("epsilon", 1e-5F));
  const ValueId sum = skip_sum(e, e.in(3));
  ValueId inverse = kNoValue;
  e.result(0, rms_normalized(e, sum, e.in(2), epsilon, {-1}, &inverse));
  e.result(2, inverse);
  e.result(3, sum);
  return Status::ok();
}

}  // namespace pbatch
