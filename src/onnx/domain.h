// Names of domains of operators.
#pragma once

#include <string>

namespace pbatch {

/// ONNX gives its own domain two names, "ai.onnx" and the empty one, which is used here.
inline std::string canonical_domain(const std::string& domain) {
  return domain == "ai.onnx" ? std::string() : domain;
}

}  // namespace pbatch
