// ONNX's codes of element types (TensorProto.DataType).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "pbatch/tensor.h"

namespace pbatch {

/// The element type of an ONNX code; none for types that pbatch does not hold.
std::optional<DType> dtype_from_onnx(std::int64_t code);

/// The ONNX code of an element type.
std::int32_t dtype_to_onnx(DType type);

/// ONNX's name of a code, for messages: "float8e4m3fn"; "type 99" if unknown.
std::string onnx_type_name(std::int64_t code);

}  // namespace pbatch
