#include "pbatch/tensor.h"

#include <cstring>

#include "base/aligned_buffer.h"

namespace pbatch {

std::size_t dtype_size(DType type) {
  switch (type) {
    case DType::f64:
    case DType::i64:
    case DType::u64:
      return 8;
    case DType::f32:
    case DType::i32:
    case DType::u32:
      return 4;
    case DType::f16:
    case DType::bf16:
    case DType::i16:
    case DType::u16:
      return 2;
    case DType::i8:
    case DType::u8:
    case DType::boolean:
      return 1;
  }
  return 1;
}

const char* dtype_name(DType type) {
  switch (type) {
    case DType::f32:
      return "float32";
    case DType::f64:
      return "float64";
    case DType::f16:
      return "float16";
    case DType::bf16:
      return "bfloat16";
    case DType::i8:
      return "int8";
    case DType::u8:
      return "uint8";
    case DType::i16:
      return "int16";
    case DType::u16:
      return "uint16";
    case DType::i32:
      return "int32";
    case DType::u32:
      return "uint32";
    case DType::i64:
      return "int64";
    case DType::u64:
      return "uint64";
    case DType::boolean:
      return "bool";
  }
  return "unknown";
}

std::string shape_to_string(const Shape& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i != 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

Result<std::int64_t> checked_element_count(const Shape& shape, std::size_t element_size) {
  constexpr std::int64_t limit = std::int64_t{1} << 62;
  std::int64_t bytes = static_cast<std::int64_t>(element_size);
  bool empty = false;  // a zero does not excuse the other dimensions
  for (const std::int64_t d : shape) {
    if (d < 0) {
      return Status(ErrorCode::invalid_argument, "negative dimension in " + shape_to_string(shape));
    }
    if (d == 0) {
      empty = true;
    } else if (__builtin_mul_overflow(bytes, d, &bytes) || bytes > limit) {
      return Status(ErrorCode::invalid_argument,
                    "shape " + shape_to_string(shape) + " has more elements than memory can hold");
    }
  }
  return empty ? 0 : bytes / static_cast<std::int64_t>(element_size);
}

const Shape& Tensor::no_elements() {
  static const Shape shape{0};
  return shape;
}

Result<Tensor> Tensor::create(DType type, Shape shape) {
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t count, checked_element_count(shape, dtype_size(type)));
  Tensor tensor;
  tensor.data_ = allocate_aligned(static_cast<std::size_t>(count) * dtype_size(type));
  if (tensor.data_ == nullptr) {
    return Status(ErrorCode::out_of_memory, "no memory for a " + std::string(dtype_name(type)) +
                                                " tensor of shape " + shape_to_string(shape));
  }
  tensor.dtype_ = type;
  tensor.shape_ = std::move(shape);
  tensor.size_ = count;
  return tensor;
}

Tensor Tensor::view(DType type, Shape shape, const void* data, std::shared_ptr<const void> owner) {
  Tensor tensor;
  tensor.dtype_ = type;
  tensor.shape_ = std::move(shape);
  tensor.size_ = 1;
  for (const std::int64_t d : tensor.shape_) tensor.size_ *= d;
  tensor.data_ = std::shared_ptr<const void>(std::move(owner), data);
  return tensor;
}

Result<Tensor> Tensor::from_floats(Shape shape, std::span<const float> values) {
  PBATCH_ASSIGN_OR_RETURN(Tensor tensor, create(DType::f32, std::move(shape)));
  if (static_cast<std::size_t>(tensor.size()) != values.size()) {
    return Status(ErrorCode::invalid_argument, std::to_string(values.size()) +
                                                   " values for a tensor of shape " +
                                                   shape_to_string(tensor.shape()));
  }
  if (!values.empty()) std::memcpy(tensor.mutable_raw(), values.data(), values.size_bytes());
  return tensor;
}

Tensor Tensor::reshaped(Shape shape) const {
  Tensor tensor = *this;
  tensor.shape_ = std::move(shape);
  return tensor;
}

}  // namespace pbatch
