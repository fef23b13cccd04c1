// The functions of element_functions.inc by name: how ONNX calls them and their attributes.
#pragma once

#include <stdint.h>

namespace pbatch {

/// Those of one number first.
enum class ElementFunction : uint8_t {
#define PBATCH_ELEMENT_1(op_type, name, alpha, alpha_default, beta, beta_default, y) name,
#define PBATCH_ELEMENT_2(op_type, name, y) name,
#include "kernel/element_functions.inc"
#undef PBATCH_ELEMENT_1
#undef PBATCH_ELEMENT_2
};

/// How many there are of one number, and in all.
#define PBATCH_ELEMENT_1(op_type, name, alpha, alpha_default, beta, beta_default, y) +1
#define PBATCH_ELEMENT_2(op_type, name, y)
constexpr int kFunctionsOfOne = 0
#include "kernel/element_functions.inc"
    ;
#undef PBATCH_ELEMENT_2
#define PBATCH_ELEMENT_2(op_type, name, y) +1
constexpr int kElementFunctions = 0
#include "kernel/element_functions.inc"
    ;
#undef PBATCH_ELEMENT_1
#undef PBATCH_ELEMENT_2

/// How ONNX calls a function.
struct ElementSpec {
  const char* op_type;
  ElementFunction function;
  int inputs;                ///< 1 or 2
  const char *alpha, *beta;  ///< attributes; "": none
  float alpha_default, beta_default;
};

inline constexpr ElementSpec kElementSpecs[] = {
#define PBATCH_ELEMENT_1(op_type, name, alpha, alpha_default, beta, beta_default, y) \
  {op_type, ElementFunction::name, 1, alpha, beta, alpha_default, beta_default},
#define PBATCH_ELEMENT_2(op_type, name, y) {op_type, ElementFunction::name, 2, "", "", 0.0f, 0.0f},
#include "kernel/element_functions.inc"
#undef PBATCH_ELEMENT_1
#undef PBATCH_ELEMENT_2
};

constexpr const ElementSpec& spec_of(ElementFunction function) {
  return kElementSpecs[static_cast<int>(function)];
}

}  // namespace pbatch
