// Functions of one or two numbers, element by element, and elements moved.
#pragma once

#include <stdint.h>

#include "accelerator/operation_args.h"
#include "kernel/element_functions.h"

namespace pbatch::cuda {

namespace {

PBATCH_HD inline void compute_element(const ElementwiseArgs& args, int64_t i) {
  const float a = args.a[args.a_index != nullptr ? args.a_index[i] : i];
  const float b = args.b == nullptr ? 0.0f : args.b[args.b_index != nullptr ? args.b_index[i] : i];
  args.y[i] = element_of(args.function, a, b, args.alpha, args.beta);
}

}  // namespace

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
