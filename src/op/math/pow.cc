// Pow: the result has the type of the base; the exponent may have another.
#include <array>
#include <cmath>

#include "op/elements.h"
#include "op/math/arithmetic.h"
#include "op/math/binary.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

template <class T, class E>
bool power(T base, E exponent, T& y) {
  if constexpr (std::is_floating_point_v<T>) {
    if constexpr (std::is_floating_point_v<E>) {
      y = std::pow(base, exponent);
    } else {
      y = static_cast<T>(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
    }
    return true;
  } else if constexpr (std::is_floating_point_v<E>) {
    const double exact = std::pow(static_cast<double>(base), static_cast<double>(exponent));
    // Below 2^63 every double converts; NaN and anything beyond the type has no result.
    constexpr double limit = sizeof(T) == 8 ? 0x1p63 : 0x1p31;
    if (!(exact > -limit - 1 && exact < limit)) return false;
    y = static_cast<T>(exact);
    return true;
  } else {
    if (exponent < 0) {
      if (base == 0) return false;
      const bool odd = exponent % 2 != 0;
      y = base == 1 ? 1 : base == -1 ? (odd ? -1 : 1) : 0;
      return true;
    }
    T result = 1;
    T square = base;
    for (auto e = static_cast<std::uint64_t>(exponent); e != 0; e >>= 1) {
      const auto multiply = [](auto a, auto b) { return a * b; };
      if ((e & 1) != 0) result = wrapping(result, square, multiply);
      square = wrapping(square, square, multiply);
    }
    y = result;
    return true;
  }
}

template <class T, class E>
bool power_loop(std::int64_t count, const void* base, std::int64_t base_step, const void* exponent,
                std::int64_t exponent_step, void* y) {
  const T* const pb = static_cast<const T*>(base);
  const E* const pe = static_cast<const E*>(exponent);
  T* const py = static_cast<T*>(y);
  if constexpr (std::is_same_v<T, float>) {
    // Layer normalization and GELU are exported with these.
    if (exponent_step == 0 && *pe == E{2}) {
      for (std::int64_t i = 0; i < count; ++i) py[i] = pb[i * base_step] * pb[i * base_step];
      return true;
    }
    if (exponent_step == 0 && *pe == E{3}) {
      for (std::int64_t i = 0; i < count; ++i) {
        const float b = pb[i * base_step];
        py[i] = b * b * b;
      }
      return true;
    }
  }
  bool all = true;
  for (std::int64_t i = 0; i < count; ++i) {
    all = power(pb[i * base_step], pe[i * exponent_step], py[i]) && all;
  }
  return all;
}

template <class T, class... Es>
constexpr std::array<BinaryLoop, kDTypes> loops_by_exponent(Types<Es...>) {
  std::array<BinaryLoop, kDTypes> loops{};
  ((loops[dtype_index(dtype_of<Es>())] = &power_loop<T, Es>), ...);
  return loops;
}

BinaryLoop find_loop(DType base, DType exponent) {
  static constexpr auto kF32 = loops_by_exponent<float>(NumberTypes{});
  static constexpr auto kI32 = loops_by_exponent<std::int32_t>(NumberTypes{});
  static constexpr auto kI64 = loops_by_exponent<std::int64_t>(NumberTypes{});
  const std::size_t e = dtype_index(exponent);
  switch (base) {
    case DType::f32:
      return kF32[e];
    case DType::i32:
      return kI32[e];
    case DType::i64:
      return kI64[e];
    default:
      return nullptr;
  }
}

class Pow final : public Op {
 public:
  Result<StepPlan> plan(const PlanRequest& request) const override {
    constexpr std::int64_t kGrain = std::int64_t{1} << 12;
    const Tensor& base = *request.inputs[0];
    const Tensor& exponent = *request.inputs[1];
    const BinaryLoop loop = find_loop(base.dtype(), exponent.dtype());
    if (loop == nullptr) {
      return Status(ErrorCode::unsupported,
                    std::string("Pow does not raise ") + dtype_name(base.dtype()) + " to " +
                        dtype_name(exponent.dtype()),
                    "put a Cast to float32 before it");
    }
    return plan_loop(loop, base.dtype(), kGrain,
                     "Pow: an integer to that power is no integer of its type", base, exponent);
  }
};

}  // namespace

Result<std::unique_ptr<Op>> make_pow(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 2));
  return std::unique_ptr<Op>(new Pow);
}

}  // namespace pbatch
