// A tensor message with its values, from wherever they are.
#pragma once

#include <string>

#include "onnx/import.h"
#include "onnx/tensor_proto.h"

namespace pbatch {

/// The tensor, its data inline or, through `external`, outside. `external` null:
/// external data are an error. Frees the message's own copy of raw data.
Result<Tensor> read_tensor(onnx::TensorProto& proto, const std::string& name,
                           ExternalData* external);

}  // namespace pbatch
