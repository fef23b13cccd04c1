#include "values.h"

#include <utility>

#include "graph/onnx_dtype.h"
#include "guard.h"

namespace pbatch::ort {

// ONNX Runtime's numbers of element types are ONNX's.
std::optional<DType> dtype_of(ONNXTensorElementDataType type) {
  return dtype_from_onnx(static_cast<std::int64_t>(type));
}

std::optional<TensorType> type_of(const Ort::ConstValueInfo& value) {
  const Ort::ConstTypeInfo info = value.TypeInfo();
  if (info.GetONNXType() != ONNX_TYPE_TENSOR) return std::nullopt;
  const auto tensor = info.GetTensorTypeAndShapeInfo();
  const std::optional<DType> dtype = dtype_of(tensor.GetElementType());
  if (!dtype) return std::nullopt;
  return TensorType{*dtype, tensor.GetDimensionsCount()};
}

Result<Tensor> view_of(const Ort::ConstValue& value) {
  if (!value.IsTensor()) {
    return Status(ErrorCode::unsupported, "a value is no tensor", "exclude the node that reads it");
  }
  const Ort::TensorTypeAndShapeInfo info = value.GetTensorTypeAndShapeInfo();
  const std::optional<DType> dtype = dtype_of(info.GetElementType());
  if (!dtype) {
    return Status(ErrorCode::unsupported, "a tensor has an element type that pbatch does not hold",
                  "exclude the node that reads it");
  }
  return Tensor::view(*dtype, info.GetShape(), value.GetTensorRawData(), nullptr);
}

Result<std::optional<Tensor>> constant_of(const Ort::ConstValueInfo& value) {
  if (!value.IsConstantInitializer()) return std::optional<Tensor>();
  Ort::ConstValue held{nullptr};
  PBATCH_RETURN_IF_ERROR(from_ort_status(value.GetInitializer(held)));
  PBATCH_ASSIGN_OR_RETURN(Tensor tensor, view_of(held));
  return std::optional(std::move(tensor));
}

}  // namespace pbatch::ort
