#include "feed/convert.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace pbatch {
namespace {

float bits_to_float(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = std::uint32_t{half & 0x8000U} << 16;
  const std::uint32_t exponent = half >> 10 & 31U;
  const std::uint32_t fraction = half & 0x3ffU;
  if (exponent == 31) return bits_to_float(sign | 0x7f800000U | fraction << 13);
  if (exponent != 0) return bits_to_float(sign | (exponent + 112) << 23 | fraction << 13);
  const float tiny = std::ldexp(static_cast<float>(fraction), -24);
  return sign != 0 ? -tiny : tiny;
}

// Calls f(pointer to the elements as a C++ type, reader of one element).
template <class F>
auto visit_elements(const Tensor& t, const F& f) {
  const auto plain = [](auto v) { return v; };
  switch (t.dtype()) {
    case DType::f32:
      return f(t.data<float>(), plain);
    case DType::f64:
      return f(t.data<double>(), plain);
    case DType::f16:
      return f(t.data<std::uint16_t>(), [](std::uint16_t v) { return half_to_float(v); });
    case DType::bf16:
      return f(t.data<std::uint16_t>(),
               [](std::uint16_t v) { return bits_to_float(std::uint32_t{v} << 16); });
    case DType::i8:
      return f(t.data<std::int8_t>(), plain);
    case DType::u8:
      return f(t.data<std::uint8_t>(), plain);
    case DType::i16:
      return f(t.data<std::int16_t>(), plain);
    case DType::u16:
      return f(t.data<std::uint16_t>(), plain);
    case DType::i32:
      return f(t.data<std::int32_t>(), plain);
    case DType::u32:
      return f(t.data<std::uint32_t>(), plain);
    case DType::i64:
      return f(t.data<std::int64_t>(), plain);
    case DType::u64:
      return f(t.data<std::uint64_t>(), plain);
    case DType::boolean:
      break;
  }
  return f(t.data<std::uint8_t>(), plain);
}

// The value as a D, if D holds it (floats into a float type: rounded).
template <class D, class S>
std::optional<D> fit(S value) {
  if constexpr (std::is_floating_point_v<S>) {
    const auto rounded = static_cast<D>(value);
    if (std::isfinite(value) && !std::isfinite(rounded)) return std::nullopt;
    return rounded;
  } else if constexpr (std::is_floating_point_v<D>) {
    constexpr std::int64_t exact = std::int64_t{1} << std::numeric_limits<D>::digits;
    if (std::cmp_greater(value, exact) || std::cmp_less(value, -exact)) return std::nullopt;
    return static_cast<D>(value);
  } else {
    if (!std::in_range<D>(value)) return std::nullopt;
    return static_cast<D>(value);
  }
}

Status type_error(DType from, DType to) {
  return Status(
      ErrorCode::invalid_argument,
      std::string("elements are ") + dtype_name(from) + " where " + dtype_name(to) + " is expected",
      std::string("save the array as ") + dtype_name(to));
}

template <class D>
Result<Tensor> convert_elements(const Tensor& tensor, DType to) {
  PBATCH_ASSIGN_OR_RETURN(Tensor out, Tensor::create(to, tensor.shape()));
  D* const result = out.mutable_data<D>();
  const Status status = visit_elements(tensor, [&](const auto* from, const auto& read) -> Status {
    using S = decltype(read(*from));
    if constexpr (std::is_floating_point_v<S> && !std::is_floating_point_v<D>) {
      return type_error(tensor.dtype(), to);
    } else {
      for (std::int64_t i = 0; i < tensor.size(); ++i) {
        const std::optional<D> value = fit<D>(read(from[i]));
        if (!value || (to == DType::boolean && *value > D{1})) {
          return Status(ErrorCode::invalid_argument,
                        "element " + std::to_string(i) + ", " + std::to_string(read(from[i])) +
                            ", does not fit " + dtype_name(to),
                        std::string("save the array as ") + dtype_name(to));
        }
        result[i] = *value;
      }
      return Status::ok();
    }
  });
  PBATCH_RETURN_IF_ERROR(status);
  return out;
}

}  // namespace

Result<Tensor> convert_tensor(const Tensor& tensor, DType to) {
  if (tensor.dtype() == to) return tensor;
  switch (to) {
    case DType::f32:
      return convert_elements<float>(tensor, to);
    case DType::f64:
      return convert_elements<double>(tensor, to);
    case DType::i8:
      return convert_elements<std::int8_t>(tensor, to);
    case DType::u8:
      return convert_elements<std::uint8_t>(tensor, to);
    case DType::i16:
      return convert_elements<std::int16_t>(tensor, to);
    case DType::u16:
      return convert_elements<std::uint16_t>(tensor, to);
    case DType::i32:
      return convert_elements<std::int32_t>(tensor, to);
    case DType::u32:
      return convert_elements<std::uint32_t>(tensor, to);
    case DType::i64:
      return convert_elements<std::int64_t>(tensor, to);
    case DType::u64:
      return convert_elements<std::uint64_t>(tensor, to);
    case DType::boolean:
      return convert_elements<std::uint8_t>(tensor, to);
    case DType::f16:
    case DType::bf16:
      break;
  }
  return type_error(tensor.dtype(), to);
}

Result<Tensor> scaled_to_float(const Tensor& tensor, float divisor) {
  PBATCH_ASSIGN_OR_RETURN(Tensor out, Tensor::create(DType::f32, tensor.shape()));
  auto* const result = out.mutable_data<float>();
  visit_elements(tensor, [&](const auto* from, const auto& read) {
    for (std::int64_t i = 0; i < tensor.size(); ++i) {
      result[i] = static_cast<float>(read(from[i])) / divisor;
    }
  });
  return out;
}

double element_as_double(const Tensor& tensor, std::int64_t index) {
  return visit_elements(tensor, [&](const auto* from, const auto& read) {
    return static_cast<double>(read(from[index]));
  });
}

}  // namespace pbatch
