#include "graph/narrow_types.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "graph/onnx_dtype.h"

namespace pbatch {
namespace {

constexpr NarrowType kNarrowTypes[] = {
    {17, DType::f32, 8, 3, 7, FloatEnd::nan, 448},               // float8e4m3fn
    {18, DType::f32, 8, 3, 8, FloatEnd::negative_zero, 240},     // float8e4m3fnuz
    {19, DType::f32, 8, 2, 15, FloatEnd::infinite, 57344},       // float8e5m2
    {20, DType::f32, 8, 2, 16, FloatEnd::negative_zero, 57344},  // float8e5m2fnuz
    {21, DType::u8, 4},                                          // uint4
    {22, DType::i8, 4},                                          // int4
    {23, DType::f32, 4, 1, 1, FloatEnd::finite, 6},              // float4e2m1
    {24, DType::f32, 8, 0, 127, FloatEnd::nan, 0x1p127F},        // float8e8m0
    {25, DType::u8, 2},                                          // uint2
    {26, DType::i8, 2},                                          // int2
};

float decode_float(const NarrowType& type, int code) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  if (type.mantissa_bits == 0) return code == 0xff ? nan : std::ldexp(1.0F, code - type.bias);
  const int sign = 1 << (type.bits - 1), rest = code & (sign - 1);
  const int exponent = rest >> type.mantissa_bits;
  const int mantissa = rest & ((1 << type.mantissa_bits) - 1);
  const bool negative = (code & sign) != 0;
  if (type.end == FloatEnd::negative_zero && negative && rest == 0) return nan;
  if (type.end == FloatEnd::nan && rest == sign - 1) return nan;
  if (type.end == FloatEnd::infinite && exponent == (sign - 1) >> type.mantissa_bits) {
    const float infinity = std::numeric_limits<float>::infinity();
    return mantissa != 0 ? nan : negative ? -infinity : infinity;
  }
  // Subnormal numbers have the exponent of the least normal ones, without the leading 1.
  const int whole = exponent == 0 ? mantissa : mantissa | (1 << type.mantissa_bits);
  const float magnitude =
      std::ldexp(static_cast<float>(whole), std::max(exponent, 1) - type.bias - type.mantissa_bits);
  return negative ? -magnitude : magnitude;
}

}  // namespace

const NarrowType* narrow_type(std::int64_t code) {
  const auto* const end = std::end(kNarrowTypes);
  const auto* const it = std::find_if(std::begin(kNarrowTypes), end,
                                      [code](const NarrowType& t) { return t.code == code; });
  return it == end ? nullptr : it;
}

std::int64_t held_code(std::int64_t code) {
  const NarrowType* const type = narrow_type(code);
  return type == nullptr ? code : dtype_to_onnx(type->held);
}

void decode_narrow(const NarrowType& type, const std::uint8_t* bytes, std::int64_t count,
                   void* out) {
  const std::int64_t in_a_byte = 8 / type.bits;
  const int mask = (1 << type.bits) - 1;
  for (std::int64_t i = 0; i < count; ++i) {
    const int code = (bytes[i / in_a_byte] >> (i % in_a_byte * type.bits)) & mask;
    switch (type.held) {
      case DType::u8:
        static_cast<std::uint8_t*>(out)[i] = static_cast<std::uint8_t>(code);
        break;
      case DType::i8:
        static_cast<std::int8_t*>(out)[i] =
            static_cast<std::int8_t>(code <= greatest_narrow(type) ? code : code - mask - 1);
        break;
      default:
        static_cast<float*>(out)[i] = decode_float(type, code);
    }
  }
}

float nearest_narrow(const NarrowType& type, float x, bool saturate) {
  if (std::isnan(x)) return type.end == FloatEnd::finite ? type.greatest : x;
  float nearest = x;
  if (std::isfinite(x)) {
    // Numbers of this exponent are multiples of 2^step.
    const int exponent = x == 0 ? 0 : std::ilogb(x);
    const int step = std::max(exponent, 1 - type.bias) - type.mantissa_bits;
    nearest = std::ldexp(std::nearbyint(std::ldexp(x, -step)), step);
  }
  if (std::fabs(nearest) > type.greatest) {
    if (saturate || type.end == FloatEnd::finite) return std::copysign(type.greatest, x);
    return type.end == FloatEnd::infinite ? std::copysign(std::numeric_limits<float>::infinity(), x)
                                          : std::numeric_limits<float>::quiet_NaN();
  }
  return nearest == 0 && type.end == FloatEnd::negative_zero ? 0.0F : nearest;
}

}  // namespace pbatch
