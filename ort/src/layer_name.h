// The names by which options mean nodes.
#pragma once

#include <string>

#include "onnxruntime.h"

namespace pbatch::ort {

/// The node's name in the file, or "<OpType>_<index>" where it has none. ONNX Runtime makes one
/// Gemm of a MatMul and the Add behind it; its name is that of the MatMul.
std::string layer_name(const Ort::ConstNode& node);

}  // namespace pbatch::ort
