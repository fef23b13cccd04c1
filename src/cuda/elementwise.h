// Functions of one or two numbers, element by element, and elements moved, on the device.
#pragma once

#include <math.h>
#include <stdint.h>

#include "layout/hd.h"

namespace pbatch::cuda {

enum class ElementFunction : uint8_t {
  // Of a. `alpha` and `beta` as the ONNX operators of these names have them; clip: the bounds.
  abs,
  clip,
  elu,
  erf,
  exp,
  gelu,
  hard_sigmoid,
  hard_swish,
  leaky_relu,
  log,
  neg,
  reciprocal,
  relu,
  selu,
  sigmoid,
  softplus,
  softsign,
  sqrt,
  swish,
  tanh,
  // Of a and b.
  add,
  div,
  max,
  min,
  mul,
  sub,
};

/// y[i] = f(a[i], b[i]). Where there is an index, a stands for a[a_index[i]]: that is how shapes
/// are broadcast.
struct ElementwiseArgs {
  ElementFunction function;
  int64_t count;
  float* y;
  const float* a;
  const int32_t* a_index;  ///< [count] or null
  const float* b;          ///< null for a function of one number
  const int32_t* b_index;
  float alpha, beta;
};

/// A NaN stays a NaN in all of them.
PBATCH_HD inline float element_of(ElementFunction function, float a, float b, float alpha,
                                  float beta) {
  switch (function) {
    case ElementFunction::abs:
      return fabsf(a);
    case ElementFunction::clip: {
      const float raised = a < alpha ? alpha : a;
      return raised > beta ? beta : raised;
    }
    case ElementFunction::elu:
      return a < 0.0f ? alpha * expm1f(a) : a;
    case ElementFunction::erf:
      return erff(a);
    case ElementFunction::exp:
      return expf(a);
    case ElementFunction::gelu:
      return 0.5f * a * (1.0f + erff(a * 0.70710678118654752f));
    case ElementFunction::hard_sigmoid: {
      const float y = alpha * a + beta;
      return y < 0.0f ? 0.0f : y > 1.0f ? 1.0f : y;
    }
    case ElementFunction::hard_swish: {
      const float gate = a * (1.0f / 6.0f) + 0.5f;
      return a * (gate < 0.0f ? 0.0f : gate > 1.0f ? 1.0f : gate);
    }
    case ElementFunction::leaky_relu:
      return a < 0.0f ? alpha * a : a;
    case ElementFunction::log:
      return logf(a);
    case ElementFunction::neg:
      return -a;
    case ElementFunction::reciprocal:
      return 1.0f / a;
    case ElementFunction::relu:
      return a < 0.0f ? 0.0f : a;
    case ElementFunction::selu:
      return beta * (a > 0.0f ? a : alpha * expm1f(a));
    case ElementFunction::sigmoid:
      return 1.0f / (1.0f + expf(-a));
    case ElementFunction::softplus:
      return (a < 0.0f ? 0.0f : a) + log1pf(expf(-fabsf(a)));
    case ElementFunction::softsign:
      return a / (1.0f + fabsf(a));
    case ElementFunction::sqrt:
      return sqrtf(a);
    case ElementFunction::swish:
      return a / (1.0f + expf(-alpha * a));
    case ElementFunction::tanh:
      return tanhf(a);
    case ElementFunction::add:
      return a + b;
    case ElementFunction::div:
      return a / b;
    case ElementFunction::max:
      return a > b || a != a ? a : b;
    case ElementFunction::min:
      return a < b || a != a ? a : b;
    case ElementFunction::mul:
      return a * b;
    case ElementFunction::sub:
      return a - b;
  }
  return a;
}

PBATCH_HD inline void element(const ElementwiseArgs& args, int64_t i) {
  const float a = args.a[args.a_index != nullptr ? args.a_index[i] : i];
  const float b = args.b == nullptr ? 0.0f : args.b[args.b_index != nullptr ? args.b_index[i] : i];
  args.y[i] = element_of(args.function, a, b, args.alpha, args.beta);
}

/// to[i] = from[index[i]] for the i whose index is not negative.
struct MoveArgs {
  int64_t count;
  int element_bytes;  ///< 1, 2, 4 or 8
  const void* from;
  const int32_t* index;  ///< [count]
  void* to;
};

PBATCH_HD inline void move_element(const MoveArgs& args, int64_t i) {
  const int64_t at = args.index[i];
  if (at < 0) return;
  switch (args.element_bytes) {
    case 1:
      static_cast<uint8_t*>(args.to)[i] = static_cast<const uint8_t*>(args.from)[at];
      return;
    case 2:
      static_cast<uint16_t*>(args.to)[i] = static_cast<const uint16_t*>(args.from)[at];
      return;
    case 4:
      static_cast<uint32_t*>(args.to)[i] = static_cast<const uint32_t*>(args.from)[at];
      return;
    default:
      static_cast<uint64_t*>(args.to)[i] = static_cast<const uint64_t*>(args.from)[at];
  }
}

}  // namespace pbatch::cuda
