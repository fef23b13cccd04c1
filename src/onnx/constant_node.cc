#include "onnx/constant_node.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace pbatch {
namespace {

Status malformed_constant(const std::string& what) {
  return Status(ErrorCode::malformed, what, "the file is damaged; export the model again");
}

template <class T>
Result<Tensor> from_values(DType type, Shape shape, const T* data) {
  PBATCH_ASSIGN_OR_RETURN(Tensor tensor, Tensor::create(type, std::move(shape)));
  std::copy_n(data, tensor.size(), tensor.mutable_data<T>());
  return tensor;
}

}  // namespace

Result<Tensor> constant_node_value(const Node& node) {
  if (node.attributes.size() != 1 || node.outputs.size() != 1 || !node.inputs.empty()) {
    return malformed_constant("operator Constant needs one value and one output");
  }
  const auto& [name, held] = *node.attributes.begin();
  if (const auto* v = std::get_if<Tensor>(&held); v != nullptr && name == "value") return *v;
  if (const auto* v = std::get_if<float>(&held); v != nullptr && name == "value_float") {
    return from_values(DType::f32, {}, v);
  }
  if (const auto* v = std::get_if<std::int64_t>(&held); v != nullptr && name == "value_int") {
    return from_values(DType::i64, {}, v);
  }
  if (const auto* v = std::get_if<std::vector<float>>(&held);
      v != nullptr && name == "value_floats") {
    return from_values(DType::f32, {static_cast<std::int64_t>(v->size())}, v->data());
  }
  if (const auto* v = std::get_if<std::vector<std::int64_t>>(&held);
      v != nullptr && name == "value_ints") {
    return from_values(DType::i64, {static_cast<std::int64_t>(v->size())}, v->data());
  }
  if (name == "value_string" || name == "value_strings") {
    return Status(ErrorCode::unsupported, "operator Constant: its value is a string",
                  "pbatch holds numbers only");
  }
  return malformed_constant("operator Constant has the attribute '" + name + "', not a value");
}

}  // namespace pbatch
