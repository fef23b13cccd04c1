// What makes providers for sessions.
#pragma once

#include <string>

#include "onnxruntime.h"

namespace pbatch::ort {

/// For the CPUs among ONNX Runtime's devices.
class Factory : public OrtEpFactory {
 public:
  Factory();
};

}  // namespace pbatch::ort
