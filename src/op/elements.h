// Element types as C++ types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "graph/half.h"
#include "pbatch/tensor.h"

namespace pbatch {

inline constexpr std::size_t kDTypes = 13;

/// Before a loop whose iterations do not depend on each other, though its arrays may be the same.
#if defined(__clang__)
#define PBATCH_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define PBATCH_INDEPENDENT _Pragma("GCC ivdep")
#endif

/// One byte of a bool tensor. Any byte but zero counts as true: a file may hold any.
struct Bool {
  std::uint8_t byte = 0;
  Bool() = default;
  explicit Bool(bool value) : byte(value ? 1 : 0) {}
  explicit operator bool() const { return byte != 0; }
};

struct Float16 {
  std::uint16_t bits = 0;
};
struct BFloat16 {
  std::uint16_t bits = 0;
};

template <class T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, float>) return DType::f32;
  if constexpr (std::is_same_v<T, double>) return DType::f64;
  if constexpr (std::is_same_v<T, Float16>) return DType::f16;
  if constexpr (std::is_same_v<T, BFloat16>) return DType::bf16;
  if constexpr (std::is_same_v<T, std::int8_t>) return DType::i8;
  if constexpr (std::is_same_v<T, std::uint8_t>) return DType::u8;
  if constexpr (std::is_same_v<T, std::int16_t>) return DType::i16;
  if constexpr (std::is_same_v<T, std::uint16_t>) return DType::u16;
  if constexpr (std::is_same_v<T, std::int32_t>) return DType::i32;
  if constexpr (std::is_same_v<T, std::uint32_t>) return DType::u32;
  if constexpr (std::is_same_v<T, std::int64_t>) return DType::i64;
  if constexpr (std::is_same_v<T, std::uint64_t>) return DType::u64;
  if constexpr (std::is_same_v<T, Bool>) return DType::boolean;
}

/// A list of element types.
template <class... Ts>
struct Types {};

using IntegerTypes = Types<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t,
                           std::uint32_t, std::int64_t, std::uint64_t>;
/// What arithmetic is done in. Other float types become float32 at load.
using NumberTypes = Types<float, std::int8_t, std::uint8_t, std::int16_t, std::uint16_t,
                          std::int32_t, std::uint32_t, std::int64_t, std::uint64_t>;
using AllTypes =
    Types<float, double, Float16, BFloat16, std::int8_t, std::uint8_t, std::int16_t, std::uint16_t,
          std::int32_t, std::uint32_t, std::int64_t, std::uint64_t, Bool>;

inline constexpr std::size_t dtype_index(DType type) { return static_cast<std::size_t>(type); }

/// The element at `index` of memory of the given element size.
inline const std::byte* element_at(const void* base, std::int64_t index, std::size_t size) {
  return static_cast<const std::byte*>(base) + index * static_cast<std::int64_t>(size);
}
inline std::byte* element_at(void* base, std::int64_t index, std::size_t size) {
  return static_cast<std::byte*>(base) + index * static_cast<std::int64_t>(size);
}

}  // namespace pbatch
