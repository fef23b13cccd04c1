#include "op/float_checks.h"

namespace pbatch {

std::string describe_tensor(const Tensor& tensor) {
  return std::string(dtype_name(tensor.dtype())) + " " + shape_to_string(tensor.shape());
}

Status expect_float(const Tensor* tensor, const char* what) {
  if (tensor == nullptr) {
    return {ErrorCode::malformed, std::string(what) + " is missing", "export the network again"};
  }
  if (tensor->dtype() != DType::f32) {
    return {
        ErrorCode::unsupported,
        std::string(what) + " is " + describe_tensor(*tensor) + ", but only float32 is supported",
        "add a Cast to float32"};
  }
  return Status::ok();
}

const Tensor* input_or_null(std::span<const Tensor* const> inputs, std::size_t i) {
  return i < inputs.size() ? inputs[i] : nullptr;
}

bool has_input(const Node& node, std::size_t i) {
  return i < node.inputs.size() && node.inputs[i] != kNoValue;
}

const Tensor* constant_input(const Graph& graph, const Node& node, std::size_t i) {
  return has_input(node, i) ? graph.constant(node.inputs[i]) : nullptr;
}

Result<Activation> read_activation(const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const std::string name, node.string_attr("activation", ""));
  if (name.empty()) return Activation::none;
  if (name == "relu") return Activation::relu;
  return Status(ErrorCode::unsupported, "activation '" + name + "' is not known", "use 'relu'");
}

Result<std::size_t> normalize_axis(std::int64_t axis, std::size_t rank) {
  const auto r = static_cast<std::int64_t>(rank);
  if (axis < -r || axis >= r) {
    return Status(ErrorCode::shape_mismatch,
                  "axis " + std::to_string(axis) + " is out of range for a tensor of rank " +
                      std::to_string(rank),
                  "check the attribute or the shape of the input");
  }
  return static_cast<std::size_t>(axis < 0 ? axis + r : axis);
}

std::int64_t product_of(const Shape& dims, std::size_t begin, std::size_t end) {
  std::int64_t product = 1;
  for (std::size_t i = begin; i < end; ++i) product *= dims[i];
  return product;
}

}  // namespace pbatch
