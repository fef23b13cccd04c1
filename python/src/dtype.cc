#include "dtype.h"

#include <array>
#include <cstdint>

namespace nb = nanobind;

namespace pbatch::python {
namespace {

using Code = nb::dlpack::dtype_code;

struct TypeNames {
  DType type;
  Code code;
  std::uint8_t bits;
  const char* onnxruntime;
};

constexpr std::array<TypeNames, 13> kTypes{{{DType::f32, Code::Float, 32, "float"},
                                            {DType::f64, Code::Float, 64, "double"},
                                            {DType::f16, Code::Float, 16, "float16"},
                                            {DType::bf16, Code::Bfloat, 16, "bfloat16"},
                                            {DType::i8, Code::Int, 8, "int8"},
                                            {DType::u8, Code::UInt, 8, "uint8"},
                                            {DType::i16, Code::Int, 16, "int16"},
                                            {DType::u16, Code::UInt, 16, "uint16"},
                                            {DType::i32, Code::Int, 32, "int32"},
                                            {DType::u32, Code::UInt, 32, "uint32"},
                                            {DType::i64, Code::Int, 64, "int64"},
                                            {DType::u64, Code::UInt, 64, "uint64"},
                                            {DType::boolean, Code::Bool, 8, "bool"}}};

}  // namespace

std::optional<DType> from_dlpack(nb::dlpack::dtype type) {
  for (const TypeNames& t : kTypes) {
    if (type.lanes == 1 && type.bits == t.bits && type.code == static_cast<std::uint8_t>(t.code)) {
      return t.type;
    }
  }
  return std::nullopt;
}

nb::dlpack::dtype to_dlpack(DType type) {
  for (const TypeNames& t : kTypes) {
    if (t.type == type) return {static_cast<std::uint8_t>(t.code), t.bits, 1};
  }
  return {};
}

std::string dlpack_name(nb::dlpack::dtype type) {
  if (const auto known = from_dlpack(type)) return dtype_name(*known);
  const bool is_complex = type.code == static_cast<std::uint8_t>(Code::Complex);
  return (is_complex ? "complex" : "of an unknown type of ") + std::to_string(type.bits) +
         (is_complex ? "" : " bits");
}

std::string onnxruntime_name(DType type) {
  for (const TypeNames& t : kTypes) {
    if (t.type == type) return std::string("tensor(") + t.onnxruntime + ")";
  }
  return "tensor(undefined)";
}

}  // namespace pbatch::python
