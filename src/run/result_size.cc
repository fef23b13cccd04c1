#include "run/result_size.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "graph/rewrite.h"
#include "op/data_checks.h"

namespace pbatch {
namespace {

constexpr std::int64_t kEndlessBytes = std::numeric_limits<std::int64_t>::max();

std::int64_t times(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? kEndlessBytes : product;
}

std::int64_t bytes_of(const Shape& shape, DType type) {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  auto bytes = static_cast<std::int64_t>(dtype_size(type));
  for (const std::int64_t d : shape) bytes = times(bytes, std::max<std::int64_t>(d, 0));
  return bytes;
}

// Shapes that do not broadcast are the operator's business.
Shape broadcast(const Shape& a, const Shape& b) {
  Shape out(std::max(a.size(), b.size()), 1);
  for (const Shape* shape : {&a, &b}) {
    const std::size_t missing = out.size() - shape->size();
    for (std::size_t d = 0; d < shape->size(); ++d) {
      if ((*shape)[d] != 1) out[missing + d] = (*shape)[d];
    }
  }
  return out;
}

std::optional<Shape> integers(const Tensor* tensor) {
  if (tensor == nullptr) return std::nullopt;
  Result<std::vector<std::int64_t>> read = read_integers(*tensor, "the shape");
  return read ? std::optional<Shape>(*std::move(read)) : std::nullopt;
}

std::optional<double> number(const Tensor* tensor) {
  if (tensor == nullptr || tensor->size() != 1) return std::nullopt;
  switch (tensor->dtype()) {
    case DType::f32:
      return *tensor->data<float>();
    case DType::i32:
      return *tensor->data<std::int32_t>();
    case DType::i64:
      return static_cast<double>(*tensor->data<std::int64_t>());
    default:
      return std::nullopt;
  }
}

std::optional<std::int64_t> range_bytes(std::span<const Tensor* const> inputs) {
  if (inputs.size() != 3) return std::nullopt;
  const auto start = number(inputs[0]), limit = number(inputs[1]), delta = number(inputs[2]);
  if (!start || !limit || !delta) return std::nullopt;
  const double count = (*limit - *start) / *delta;
  if (!(count < 1e15)) return kEndlessBytes;
  return bytes_of({static_cast<std::int64_t>(std::max(count, 0.0)) + 1}, inputs[0]->dtype());
}

}  // namespace

std::optional<std::int64_t> result_bytes(const Node& node, std::span<const Tensor* const> inputs) {
  if (!node.domain.empty() || inputs.empty() || inputs[0] == nullptr) return std::nullopt;
  const Tensor& x = *inputs[0];
  const Tensor* const second = inputs.size() > 1 ? inputs[1] : nullptr;
  if (is_onnx(node, "Range")) return range_bytes(inputs);
  if (is_onnx(node, "ConstantOfShape")) {
    const auto shape = integers(&x);
    const auto value = node.attributes.find("value");
    const Tensor* const given =
        value == node.attributes.end() ? nullptr : std::get_if<Tensor>(&value->second);
    if (!shape) return std::nullopt;
    return bytes_of(*shape, given == nullptr ? DType::f32 : given->dtype());
  }
  if (is_onnx(node, "Expand")) {
    const auto shape = integers(second);
    if (!shape) return std::nullopt;
    return bytes_of(broadcast(x.shape(), *shape), x.dtype());
  }
  if (is_onnx(node, "Tile")) {
    const auto repeats = integers(second);
    if (!repeats || repeats->size() != x.rank()) return std::nullopt;
    Shape shape = x.shape();
    for (std::size_t d = 0; d < shape.size(); ++d) shape[d] = times(shape[d], (*repeats)[d]);
    return bytes_of(shape, x.dtype());
  }
  if (is_onnx(node, "OneHot")) {
    const auto depth = number(second);
    if (!depth || inputs.size() != 3 || inputs[2] == nullptr) return std::nullopt;
    if (!(*depth < 1e15)) return kEndlessBytes;
    return times(bytes_of(x.shape(), inputs[2]->dtype()),
                 std::max<std::int64_t>(static_cast<std::int64_t>(*depth), 0));
  }
  for (const char* op :
       {"Add", "And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max",
        "Mean", "Min", "Mod", "Mul", "Or", "Pow", "Sub", "Sum", "Where", "Xor"}) {
    if (!is_onnx(node, op)) continue;
    Shape shape = x.shape();
    for (const Tensor* input : inputs) {
      if (input != nullptr) shape = broadcast(shape, input->shape());
    }
    return bytes_of(shape, inputs.back() != nullptr ? inputs.back()->dtype() : x.dtype());
  }
  return std::nullopt;
}

}  // namespace pbatch
