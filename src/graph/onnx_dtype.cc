#include "graph/onnx_dtype.h"

#include <algorithm>
#include <array>

namespace pbatch {
namespace {

struct Code {
  std::int32_t code;
  DType type;
};

constexpr std::array<Code, 13> kCodes = {{
    {1, DType::f32},
    {2, DType::u8},
    {3, DType::i8},
    {4, DType::u16},
    {5, DType::i16},
    {6, DType::i32},
    {7, DType::i64},
    {9, DType::boolean},
    {10, DType::f16},
    {11, DType::f64},
    {12, DType::u32},
    {13, DType::u64},
    {16, DType::bf16},
}};

}  // namespace

std::optional<DType> dtype_from_onnx(std::int64_t code) {
  for (const Code& known : kCodes) {
    if (known.code == code) return known.type;
  }
  return std::nullopt;
}

std::int32_t dtype_to_onnx(DType type) {
  return std::find_if(kCodes.begin(), kCodes.end(),
                      [type](const Code& c) { return c.type == type; })
      ->code;
}

std::string onnx_type_name(std::int64_t code) {
  if (const std::optional<DType> type = dtype_from_onnx(code)) return dtype_name(*type);
  switch (code) {
    case 8:
      return "string";
    case 14:
      return "complex64";
    case 15:
      return "complex128";
    case 17:
      return "float8e4m3fn";
    case 18:
      return "float8e4m3fnuz";
    case 19:
      return "float8e5m2";
    case 20:
      return "float8e5m2fnuz";
    case 21:
      return "uint4";
    case 22:
      return "int4";
    case 23:
      return "float4e2m1";
    case 24:
      return "float8e8m0";
    case 25:
      return "uint2";
    case 26:
      return "int2";
    default:
      return "type " + std::to_string(code);
  }
}

}  // namespace pbatch
