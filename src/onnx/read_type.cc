#include "onnx/read_type.h"

#include <optional>
#include <utility>

#include "graph/onnx_dtype.h"

namespace pbatch {

Status read_type(const onnx::ValueInfoProto& info, Value* to) {
  if (!info.type().has_tensor_type()) {
    return Status(ErrorCode::unsupported, "'" + info.name() + "' is not a tensor",
                  "pbatch runs networks over dense tensors only");
  }
  const onnx::TypeProto::Tensor& type = info.type().tensor_type();
  const std::optional<DType> dtype = dtype_from_onnx(type.elem_type());
  if (!dtype) {
    return Status(ErrorCode::unsupported,
                  "'" + info.name() + "' is of type " + onnx_type_name(type.elem_type()),
                  "convert the model to float and integer tensors");
  }
  to->dtype = *dtype;
  if (!type.has_shape()) return Status::ok();
  to->dims.emplace();
  for (const onnx::TensorShapeProto::Dimension& dim : type.shape().dim()) {
    Dim declared;
    if (dim.has_dim_value()) {
      // Some exporters write -1 for a dimension that is free.
      if (dim.dim_value() < -1) {
        return Status(ErrorCode::malformed,
                      "'" + info.name() + "' has a dimension of " + std::to_string(dim.dim_value()),
                      "the file is damaged; export the model again");
      }
      declared.value = dim.dim_value();
    } else {
      declared.symbol = dim.dim_param();
    }
    to->dims->push_back(std::move(declared));
  }
  return Status::ok();
}

}  // namespace pbatch
