// Functions of one or two numbers, element by element, as the operators of a CPU and the kernels of
// a device compute them: element_functions.inc has a line for each. A NaN stays a NaN in all of
// them.
#pragma once

#include <math.h>

#include "kernel/element_spec.h"
#include "kernel/vector_math.h"

namespace pbatch {

// Those that CPU operators also have for integers.

template <class T>
PBATCH_HD constexpr T relu_of(T x) {
  return x < T{0} ? T{0} : x;
}
/// Where the bounds cross, the upper one counts.
template <class T>
PBATCH_HD constexpr T limited_to(T x, T low, T high) {
  const T raised = x < low ? low : x;
  return raised > high ? high : raised;
}
/// A NaN on either side is the result, as NumPy has it.
template <class T>
PBATCH_HD constexpr T larger_of(T a, T b) {
  return a > b || a != a ? a : b;
}
template <class T>
PBATCH_HD constexpr T smaller_of(T a, T b) {
  return a < b || a != a ? a : b;
}

// In an unnamed namespace as what they call.
namespace {

/// f(a, b); what a function does not take may be anything.
template <ElementFunction kFunction>
PBATCH_HD inline float element([[maybe_unused]] float a, [[maybe_unused]] float b,
                               [[maybe_unused]] float alpha, [[maybe_unused]] float beta) {
#define PBATCH_ELEMENT_1(op_type, name, alpha_name, alpha_default, beta_name, beta_default, y) \
  if constexpr (kFunction == ElementFunction::name) return y;
#define PBATCH_ELEMENT_2(op_type, name, y) \
  if constexpr (kFunction == ElementFunction::name) return y;
#include "kernel/element_functions.inc"
#undef PBATCH_ELEMENT_1
#undef PBATCH_ELEMENT_2
}

PBATCH_HD inline float element_of(ElementFunction function, float a, float b, float alpha,
                                  float beta) {
  switch (function) {
#define PBATCH_ELEMENT_1(op_type, name, alpha_name, alpha_default, beta_name, beta_default, y) \
  case ElementFunction::name:                                                                  \
    return element<ElementFunction::name>(a, b, alpha, beta);
#define PBATCH_ELEMENT_2(op_type, name, y) \
  case ElementFunction::name:              \
    return element<ElementFunction::name>(a, b, alpha, beta);
#include "kernel/element_functions.inc"
#undef PBATCH_ELEMENT_1
#undef PBATCH_ELEMENT_2
  }
  return a;
}

}  // namespace
}  // namespace pbatch
