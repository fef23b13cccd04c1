// ai.onnx.ml: Scaler, Normalizer, LinearRegressor, LinearClassifier, ArrayFeatureExtractor, and
// ZipMap as the array that it reads.
#include "graph/expand/expansion.h"

namespace pbatch {
namespace {

Result<std::vector<float>> floats_attr(Expansion& e, const char* name) {
  const auto it = e.node().attributes.find(name);
  if (it == e.node().attributes.end()) return std::vector<float>();
  if (const auto* floats = std::get_if<std::vector<float>>(&it->second)) return *floats;
  return e.malformed(std::string("has ") + name + " that are no floats");
}

Result<ValueId> transformed(Expansion& e, ValueId scores) {
  PBATCH_ASSIGN_OR_RETURN(const std::string name, e.node().string_attr("post_transform", "NONE"));
  if (name == "NONE") return scores;
  if (name == "LOGISTIC") return e.op("Sigmoid", {scores});
  if (name == "SOFTMAX") return e.op("Softmax", {scores}, {{"axis", std::int64_t{-1}}});
  return e.unsupported("has post_transform " + name, "use NONE, LOGISTIC or SOFTMAX");
}

// x W^T + b for `rows` rows of W.
Result<ValueId> linear(Expansion& e, std::int64_t rows) {
  PBATCH_ASSIGN_OR_RETURN(const std::vector<float> w, floats_attr(e, "coefficients"));
  PBATCH_ASSIGN_OR_RETURN(const std::vector<float> b, floats_attr(e, "intercepts"));
  const auto count = static_cast<std::int64_t>(w.size());
  if (rows < 1 || count == 0 || count % rows != 0) {
    return e.malformed("has " + std::to_string(count) + " coefficients for " +
                       std::to_string(rows) + " outputs");
  }
  const Tensor flat = *e.constant_of(e.floats(w));
  const ValueId matrix = e.tensor("coefficients", flat.reshaped({rows, count / rows}));
  Expansion::Values inputs{e.cast(e.in(0), DType::f32), matrix};
  if (!b.empty()) inputs.push_back(e.floats(b));
  return e.op("Gemm", std::move(inputs), {{"transB", std::int64_t{1}}});
}

}  // namespace

Status expand_scaler(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(1, 1));
  PBATCH_ASSIGN_OR_RETURN(const std::vector<float> offset, floats_attr(e, "offset"));
  PBATCH_ASSIGN_OR_RETURN(const std::vector<float> scale, floats_attr(e, "scale"));
  ValueId y = e.cast(e.in(0), DType::f32);
  if (!offset.empty()) y = e.op("Sub", {y, e.floats(offset)});
  e.result(0, scale.empty() ? y : e.op("Mul", {y, e.floats(scale)}));
  return Status::ok();
}

// A row of zeros stays one.
Status expand_normalizer(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(1, 1));
  PBATCH_ASSIGN_OR_RETURN(const std::string norm, e.node().string_attr("norm", "MAX"));
  const char* reduction = norm == "MAX"  ? "ReduceMax"
                          : norm == "L1" ? "ReduceL1"
                          : norm == "L2" ? "ReduceL2"
                                         : nullptr;
  if (reduction == nullptr) return e.unsupported("has norm " + norm, "use MAX, L1 or L2");
  const ValueId x = e.cast(e.in(0), DType::f32);
  const ValueId size = e.reduce(reduction, x, {-1});
  const ValueId is_zero = e.cast(e.op("Equal", {size, e.scalar(0.0F)}), DType::f32);
  e.result(0, e.op("Div", {x, e.op("Add", {size, is_zero})}));
  return Status::ok();
}

Status expand_linear_regressor(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(1, 1));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t targets, e.node().int_attr("targets", 1));
  PBATCH_ASSIGN_OR_RETURN(const ValueId scores, linear(e, targets));
  PBATCH_ASSIGN_OR_RETURN(const ValueId y, transformed(e, scores));
  e.result(0, y);
  return Status::ok();
}

Status expand_linear_classifier(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(1, 1));
  PBATCH_ASSIGN_OR_RETURN(const std::vector<std::int64_t> labels,
                          e.node().ints_attr("classlabels_ints", {}));
  PBATCH_ASSIGN_OR_RETURN(const std::vector<float> intercepts, floats_attr(e, "intercepts"));
  if (labels.size() < 2 || e.node().has_attr("classlabels_strings")) {
    return e.unsupported("has labels that are strings, or fewer than two",
                         "export the classifier with integer labels");
  }
  if (!intercepts.empty() && intercepts.size() != labels.size()) {
    return e.unsupported("has one row for two classes", "export it with a row for each class");
  }
  PBATCH_ASSIGN_OR_RETURN(const ValueId scores,
                          linear(e, static_cast<std::int64_t>(labels.size())));
  const ValueId best =
      e.op("ArgMax", {scores}, {{"axis", std::int64_t{1}}, {"keepdims", std::int64_t{0}}});
  e.result(0, e.op("Gather", {e.ints(labels), best}));
  PBATCH_ASSIGN_OR_RETURN(const ValueId y, transformed(e, scores));
  e.result(1, y);
  return Status::ok();
}

Status expand_array_feature_extractor(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(2, 2));
  const ValueId columns = e.reshape(e.in(1), {-1});
  e.result(0, e.op("Gather", {e.in(0), columns}, {{"axis", std::int64_t{-1}}}));
  return Status::ok();
}

Status expand_zip_map(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(1, 1));
  e.result(0, e.in(0));
  return Status::ok();
}

}  // namespace pbatch
