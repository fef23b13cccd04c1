// ONNX Runtime's interface. Nothing of it is linked: all calls go through the table that
// ONNX Runtime hands over when it loads this library (set_api).
#pragma once

#include <onnxruntime_cxx_api.h>

#include <cstdint>

namespace pbatch::ort {

/// What is asked for and declared as supported: the first that has plug-ins that compile nodes.
/// Newer headers describe more, of which nothing is used.
inline constexpr std::uint32_t kApiVersion = 23;

/// As sessions name it.
inline constexpr const char* kProviderName = "PbatchExecutionProvider";

}  // namespace pbatch::ort
