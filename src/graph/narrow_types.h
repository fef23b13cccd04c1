// Element types of ONNX with 2, 4 or 8 bits that pbatch holds as a wider type, in which each of
// their values is exact: floats of 4 and 8 bits as float32, integers of 2 and 4 bits as those of 8.
#pragma once

#include <cstdint>

#include "pbatch/tensor.h"

namespace pbatch {

/// What stands at the end of a float format.
enum class FloatEnd : std::uint8_t {
  finite,        ///< numbers only (float4e2m1)
  nan,           ///< the greatest codes of both signs are NaN ("fn")
  infinite,      ///< the greatest exponent holds infinities and NaNs, as in IEEE 754
  negative_zero  ///< the code of -0 is NaN, and there is no -0 ("fnuz")
};

struct NarrowType {
  std::int32_t code;  ///< TensorProto.DataType
  DType held;         ///< f32, i8 or u8
  int bits;           ///< several to a byte, the first in the lowest bits
  // Of floats; without mantissa bits the code is the exponent and has no sign (float8e8m0).
  int mantissa_bits = 0;
  int bias = 0;
  FloatEnd end = FloatEnd::finite;
  float greatest = 0;

  /// Bytes of `count` elements, of which a file may claim any number that an int64 holds.
  std::int64_t bytes(std::int64_t count) const {
    const int in_byte = 8 / bits;
    return count / in_byte + (count % in_byte != 0 ? 1 : 0);
  }
};

/// The type of an ONNX code; null if it is none of these.
const NarrowType* narrow_type(std::int64_t code);

/// The code of the type that a value of an ONNX code is held as: its own, unless the type is
/// narrow.
std::int64_t held_code(std::int64_t code);

/// `bytes`: type.bytes(count) of them; `out`: `count` elements of type.held.
void decode_narrow(const NarrowType& type, const std::uint8_t* bytes, std::int64_t count,
                   void* out);

/// The nearest value of a float type, ties to even, as ONNX's Cast says. Beyond the greatest one it
/// is that where `saturate` or where the type has nothing else; otherwise infinite or NaN.
/// Precondition: the type has a mantissa.
float nearest_narrow(const NarrowType& type, float x, bool saturate);

/// Whether values can be rounded to the type: float8e8m0 is one of scales only.
inline bool is_rounded_to(const NarrowType& type) {
  return type.held != DType::f32 || type.mantissa_bits != 0;
}

/// The least and the greatest integer of an integer type.
inline int least_narrow(const NarrowType& type) {
  return type.held == DType::i8 ? -(1 << (type.bits - 1)) : 0;
}
inline int greatest_narrow(const NarrowType& type) {
  return least_narrow(type) + (1 << type.bits) - 1;
}

}  // namespace pbatch
