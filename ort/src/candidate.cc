#include "candidate.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cost/float_convolution.h"
#include "graph/graph.h"
#include "isa/isa.h"
#include "layer_name.h"
#include "layout/layout.h"
#include "pbatch/quantize.h"
#include "quantize/name_pattern.h"
#include "quantize/quantize_matrix.h"
#include "values.h"

namespace pbatch::ort {
namespace {

bool is_present(const std::vector<Ort::ConstValueInfo>& values, std::size_t i) {
  return i < values.size() && static_cast<const OrtValueInfo*>(values[i]) != nullptr;
}

bool is_float(const std::vector<Ort::ConstValueInfo>& values, std::size_t i) {
  if (!is_present(values, i)) return false;
  const std::optional<TensorType> type = type_of(values[i]);
  return type && type->dtype == DType::f32;
}

std::int64_t int_attribute(const Ort::ConstNode& node, const char* name, std::int64_t fallback) {
  Ort::ConstOpAttr attribute{nullptr};
  std::int64_t value = 0;
  if (!node.GetAttributeByName(name, attribute).IsOK() ||
      static_cast<const OrtOpAttr*>(attribute) == nullptr || !attribute.GetValue(value).IsOK()) {
    return fallback;
  }
  return value;
}

/// The shape of a constant float32 input; none if it is anything else.
std::optional<Shape> weight_shape(const std::vector<Ort::ConstValueInfo>& inputs, std::size_t i) {
  if (!is_float(inputs, i) || !inputs[i].IsConstantInitializer()) return std::nullopt;
  return inputs[i].TypeInfo().GetTensorTypeAndShapeInfo().GetShape();
}

std::int64_t element_count(const Shape& shape) {
  const Result<std::int64_t> count = checked_element_count(shape, sizeof(float));
  return count ? *count : 0;
}

bool is_recurrent(const std::string& op) { return op == "RNN" || op == "LSTM" || op == "GRU"; }

Result<bool> bits_pay(const Shape& weights, const Precision& precision) {
  PBATCH_ASSIGN_OR_RETURN(const IsaChoice isa, select_isa());
  ConvolutionSize shape;
  shape.rows = weights[0];
  shape.channels = weights[1];
  for (std::size_t d = 2; d < weights.size(); ++d) shape.taps *= weights[d];
  shape.kernel_rows = shape.taps / std::max<std::int64_t>(weights.back(), 1);
  const int group = group_for(kAutoGroup, element_count(weights));
  shape.run_blocks = group / int{kBlockCols};
  return !float_convolution_is_faster(shape, precision.all.weight_bits,
                                      precision.all.activation_bits, isa.best);
}

}  // namespace

bool is_own_operator(const Ort::ConstNode& node) { return node.GetDomain() == kPbatchDomain; }

Result<bool> is_candidate(const Ort::ConstNode& node, const Settings& settings) {
  if (!node.GetDomain().empty()) return false;
  const std::string op = node.GetOperatorType();
  const bool known =
      op == "Gemm" || op == "MatMul" || op == "Gather" || op == "Conv" || is_recurrent(op);
  if (!known) return false;
  const std::string name = layer_name(node);
  const auto& excluded = settings.quantize.exclude;
  if (std::any_of(excluded.begin(), excluded.end(),
                  [&](const std::string& pattern) { return matches_pattern(name, pattern); })) {
    return false;
  }
  const std::vector<Ort::ConstValueInfo> inputs = node.GetInputs();
  const bool is_table = op == "Gather";
  const std::optional<Shape> weights = weight_shape(inputs, is_table ? 0 : 1);
  if (!weights) return false;
  std::int64_t largest = element_count(*weights);
  if (is_recurrent(op)) {
    const std::optional<Shape> recurrence = weight_shape(inputs, 2);
    if (!recurrence || weights->size() != 3) return false;
    largest = std::max(largest, element_count(*recurrence));
  }
  if (largest < settings.quantize.min_elements) return false;
  if (is_table) return weights->size() == 2 && int_attribute(node, "axis", 0) == 0;
  if (!is_float(inputs, 0)) return false;
  if (op == "Gemm") return weights->size() == 2 && int_attribute(node, "transA", 0) == 0;
  if (op == "MatMul") return weights->size() == 2;
  if (is_recurrent(op)) return true;
  if (weights->size() < 3 || int_attribute(node, "group", 1) != 1) return false;
  return bits_pay(*weights, settings.precision);
}

Ort::ConstValueInfo followed_value(const Ort::ConstNode& node) {
  const Ort::ConstValueInfo none{nullptr};
  if (!node.GetDomain().empty()) return none;
  const std::string op = node.GetOperatorType();
  const std::vector<Ort::ConstValueInfo> inputs = node.GetInputs();
  if (op == "Relu" && is_float(inputs, 0)) return inputs[0];
  if (op != "Add" || !is_float(inputs, 0) || !is_float(inputs, 1)) return none;
  const bool first = inputs[0].IsConstantInitializer(), second = inputs[1].IsConstantInitializer();
  if (first == second) return none;
  return first ? inputs[1] : inputs[0];
}

bool is_connector(const Ort::ConstNode& node) {
  static const std::set<std::string> known{
      "Add",        "Concat",    "Div",      "Erf",
      "Flatten",    "Gelu",      "Identity", "LayerNormalization",
      "LeakyRelu",  "MatMul",    "Mul",      "Pow",
      "ReduceMean", "Relu",      "Reshape",  "Sigmoid",
      "Softmax",    "Sqrt",      "Squeeze",  "Sub",
      "Tanh",       "Transpose", "Unsqueeze"};
  if (!node.GetDomain().empty() || !known.contains(node.GetOperatorType())) return false;
  const std::vector<Ort::ConstValueInfo> inputs = node.GetInputs(), outputs = node.GetOutputs();
  if (!is_float(inputs, 0)) return false;
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    if (is_present(inputs, i) && !is_float(inputs, i) && !inputs[i].IsConstantInitializer()) {
      return false;
    }
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (is_present(outputs, i) && !is_float(outputs, i)) return false;
  }
  return true;
}

}  // namespace pbatch::ort
