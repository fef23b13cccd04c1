#include "op/convert.h"

#include <array>
#include <limits>
#include <type_traits>

#include "op/elements.h"

namespace pbatch {
namespace {

// What the two half formats are computed in.
template <class T>
auto widen(T x) {
  if constexpr (std::is_same_v<T, Float16>)
    return f16_to_f32(x.bits);
  else if constexpr (std::is_same_v<T, BFloat16>)
    return bf16_to_f32(x.bits);
  else if constexpr (std::is_same_v<T, Bool>)
    return static_cast<std::uint8_t>(bool(x) ? 1 : 0);
  else
    return x;
}

template <class To, class From>
To truncate(From x) {
  // Both limits are powers of two, exact in any float type.
  constexpr From kBelow = static_cast<From>(std::numeric_limits<To>::min());
  constexpr From kAbove =
      From{2} * static_cast<From>(To{1} << (std::numeric_limits<To>::digits - 1));
  if (x >= kAbove) return std::numeric_limits<To>::max();
  if (x < kBelow) return std::numeric_limits<To>::min();
  return x == x ? static_cast<To>(x) : To{0};
}

template <class To, class From>
To convert_one(From from) {
  const auto x = widen(from);
  using X = decltype(widen(from));
  if constexpr (std::is_same_v<To, Bool>)
    return Bool(x != X{0});
  else if constexpr (std::is_same_v<To, Float16>)
    return {f32_to_f16(static_cast<float>(x))};
  else if constexpr (std::is_same_v<To, BFloat16>)
    return {f32_to_bf16(static_cast<float>(x))};
  else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<X>)
    return truncate<To>(x);
  else
    return static_cast<To>(x);
}

using ConvertLoop = void (*)(std::int64_t count, const void* x, void* y);
using Row = std::array<ConvertLoop, kDTypes>;

template <class From, class To>
void convert_loop(std::int64_t count, const void* x, void* y) {
  const From* __restrict px = static_cast<const From*>(x);
  To* __restrict py = static_cast<To*>(y);
  for (std::int64_t i = 0; i < count; ++i) py[i] = convert_one<To>(px[i]);
}

template <class From, class... Tos>
constexpr Row row(Types<Tos...>) {
  Row loops{};
  ((loops[dtype_index(dtype_of<Tos>())] = &convert_loop<From, Tos>), ...);
  return loops;
}

template <class... Froms>
constexpr std::array<Row, kDTypes> rows(Types<Froms...>) {
  std::array<Row, kDTypes> table{};
  ((table[dtype_index(dtype_of<Froms>())] = row<Froms>(AllTypes{})), ...);
  return table;
}

constexpr std::array<Row, kDTypes> kConvertLoops = rows(AllTypes{});

}  // namespace

StepPlan plan_convert(const Tensor& x, DType type) {
  constexpr std::int64_t kGrain = std::int64_t{1} << 14;
  if (x.dtype() == type) return StepPlan::alias({type, x.shape()});
  const ConvertLoop loop = kConvertLoops[dtype_index(x.dtype())][dtype_index(type)];
  const std::size_t from = dtype_size(x.dtype()), to = dtype_size(type);
  return StepPlan::tiled(
      {type, x.shape()}, {x.size(), 1, kGrain},
      [loop, from, to](const StepCall& call, std::int64_t begin, std::int64_t end) {
        loop(end - begin, element_at(call.in[0], begin, from), element_at(call.out[0], begin, to));
        return Status::ok();
      });
}

Result<Tensor> convert(const RunContext& context, const Tensor& x, DType type) {
  RunContext own = context;
  Tensor y;
  const Tensor* const input = &x;
  PBATCH_RETURN_IF_ERROR(run_planned(plan_convert(x, type), own, {&input, 1}, {&y, 1}));
  return y;
}

}  // namespace pbatch
