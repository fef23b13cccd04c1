// Arithmetic that several operators share.
#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>

#include "op/math/binary.h"

namespace pbatch {

/// Addition, for Sum.
extern const BinaryTable kAdd;

/// f(a, b) of floats; of integers modulo 2^bits, where plain C++ would be undefined.
template <class T, class F>
inline T wrapping(T a, T b, F f) {
  if constexpr (std::is_floating_point_v<T>) {
    return f(a, b);
  } else {
    // Widened to 64 bits: unsigned types below int would be promoted to it.
    return static_cast<T>(f(static_cast<std::uint64_t>(a), static_cast<std::uint64_t>(b)));
  }
}

/// Whether the integer quotient a / b exists: b is not 0, nor -1 under the least integer.
template <class T>
inline bool divides(T a, T b) {
  if (b == 0) return false;
  if constexpr (std::is_signed_v<T>) {
    if (b == -1 && a == std::numeric_limits<T>::min()) return false;
  }
  return true;
}

}  // namespace pbatch
