// ai.onnx.ml: Binarizer, Imputer and FeatureVectorizer.
#include <cmath>

#include "graph/expand/expansion.h"

namespace pbatch {

Status expand_binarizer(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(1, 1));
  PBATCH_ASSIGN_OR_RETURN(const float threshold, e.node().float_attr("threshold", 0.0F));
  const ValueId x = e.cast(e.in(0), DType::f32);
  e.result(0, e.cast(e.op("Greater", {x, e.scalar(threshold)}), DType::f32));
  return Status::ok();
}

// One value for all columns or one for each stands where another, or NaN, stood.
Status expand_imputer(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(1, 1));
  const ValueId x = e.in(0);
  ValueId values = kNoValue, is_missing = kNoValue;
  if (e.node().has_attr("imputed_value_int64s")) {
    PBATCH_ASSIGN_OR_RETURN(const std::vector<std::int64_t> ints,
                            e.node().ints_attr("imputed_value_int64s", {}));
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t missing,
                            e.node().int_attr("replaced_value_int64", 0));
    values = e.ints(ints);
    is_missing = e.op("Equal", {x, e.scalar(missing)});
  } else {
    const auto it = e.node().attributes.find("imputed_value_floats");
    const auto* const floats =
        it == e.node().attributes.end() ? nullptr : std::get_if<std::vector<float>>(&it->second);
    if (floats == nullptr) return e.malformed("has no imputed values");
    PBATCH_ASSIGN_OR_RETURN(const float missing, e.node().float_attr("replaced_value_float", 0.0F));
    values = e.floats(*floats);
    is_missing = std::isnan(missing) ? e.op("Not", {e.op("Equal", {x, x})})
                                     : e.op("Equal", {x, e.scalar(missing)});
  }
  e.result(0, e.op("Where", {is_missing, values, x}));
  return Status::ok();
}

Status expand_feature_vectorizer(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(1, e.node().inputs.size()));
  Expansion::Values columns;
  for (std::size_t i = 0; i < e.node().inputs.size(); ++i) {
    columns.push_back(e.cast(e.in(i), DType::f32));
  }
  e.result(0, e.op("Concat", std::move(columns), {{"axis", std::int64_t{-1}}}));
  return Status::ok();
}

}  // namespace pbatch
