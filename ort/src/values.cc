#include "values.h"

#include <utility>

#include "graph/onnx_dtype.h"
#include "guard.h"
#include "onnx/external_data.h"

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

namespace {

// ONNX Runtime does not load external data of a graph for the subgraphs in it.
Result<std::optional<Tensor>> read_external(const Ort::ConstValueInfo& value,
                                            const std::string& model_path, const Status& why) {
  Ort::ExternalInitializerInfo info{nullptr};
  if (!value.GetExternalInitializerInfo(info).IsOK() || info == nullptr) return why;
  const auto tensor = value.TypeInfo().GetTensorTypeAndShapeInfo();
  const std::optional<DType> dtype = dtype_of(tensor.GetElementType());
  if (!dtype) return why;
  PBATCH_ASSIGN_OR_RETURN(
      Tensor read, ExternalFiles(model_path)
                       .load(value.GetName(), *dtype, tensor.GetShape(), info.GetFilePath(),
                             info.GetFileOffset(), static_cast<std::int64_t>(info.GetByteSize())));
  return std::optional(std::move(read));
}

}  // namespace

Result<std::optional<Tensor>> constant_of(const Ort::ConstValueInfo& value,
                                          const std::string& model_path) {
  if (!value.IsConstantInitializer()) return std::optional<Tensor>();
  Ort::ConstValue held{nullptr};
  if (const Status status = from_ort_status(value.GetInitializer(held)); !status) {
    return read_external(value, model_path, status);
  }
  PBATCH_ASSIGN_OR_RETURN(Tensor tensor, view_of(held));
  return std::optional(std::move(tensor));
}

}  // namespace pbatch::ort
