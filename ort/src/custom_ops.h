// The operators of the domain pbatch, as ONNX Runtime's checker wants to know them.
#pragma once

#include "onnxruntime.h"

namespace pbatch::ort {

/// Makes a session of these options load files of `pbatch quantize`. The operators run in the
/// execution provider only; a session without it is refused with a line that says so.
void add_operators(OrtSessionOptions* options);

}  // namespace pbatch::ort
