#include "onnx/read_type.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "graph/narrow_types.h"
#include "graph/onnx_dtype.h"

namespace pbatch {
namespace {

// Exporters also write the same word for all dimensions that they do not know.
std::string usable_name(const std::string& name) {
  const bool starts_well = !name.empty() && (std::isalpha(static_cast<unsigned char>(name[0])) ||
                                             name[0] == '_' || (name[0] & 0x80) != 0);
  std::string lower;
  for (const char c : name) {
    lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  const char* const unknown[] = {"none",    "null", "nan",       "unk",     "unk__", "_",
                                 "unknown", "any",  "undefined", "dynamic", "?",     "na"};
  const bool says_nothing =
      std::find(std::begin(unknown), std::end(unknown), lower) != std::end(unknown);
  return starts_well && !says_nothing ? name : std::string();
}

}  // namespace

Status read_type(const onnx::ValueInfoProto& info, Value* to) {
  if (!info.type().has_tensor_type()) {
    return Status(ErrorCode::unsupported, "'" + info.name() + "' is not a tensor",
                  "pbatch runs networks over dense tensors only");
  }
  const onnx::TypeProto::Tensor& type = info.type().tensor_type();
  const std::optional<DType> dtype = dtype_from_onnx(held_code(type.elem_type()));
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
      declared.symbol = usable_name(dim.dim_param());
    }
    to->dims->push_back(std::move(declared));
  }
  return Status::ok();
}

}  // namespace pbatch
