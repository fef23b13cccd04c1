// Element types: the library's, DLPack's and ONNX Runtime's names.
#pragma once

#include <nanobind/ndarray.h>

#include <optional>
#include <string>

#include "pbatch/tensor.h"

namespace pbatch::python {

/// Nothing for a type that no network takes, e.g. complex numbers.
std::optional<DType> from_dlpack(nanobind::dlpack::dtype type);
nanobind::dlpack::dtype to_dlpack(DType type);
/// What numpy or torch would call it, e.g. "complex64".
std::string dlpack_name(nanobind::dlpack::dtype type);
/// ONNX Runtime's name, e.g. "tensor(float)".
std::string onnxruntime_name(DType type);

}  // namespace pbatch::python
