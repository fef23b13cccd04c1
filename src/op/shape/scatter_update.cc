#include "op/shape/scatter_update.h"

#include <cstring>
#include <string>
#include <type_traits>

#include "op/math/arithmetic.h"
#include "op/node_checks.h"

namespace pbatch {
namespace {

struct ScatterAdd {
  template <class T>
  static T apply(T a, T b) {
    return wrapping(a, b, [](auto x, auto y) { return x + y; });
  }
};

struct ScatterMul {
  template <class T>
  static T apply(T a, T b) {
    return wrapping(a, b, [](auto x, auto y) { return x * y; });
  }
};

// NaN wins.
struct ScatterMin {
  template <class T>
  static T apply(T a, T b) {
    return b < a || b != b ? b : a;
  }
};

struct ScatterMax {
  template <class T>
  static T apply(T a, T b) {
    return b > a || b != b ? b : a;
  }
};

template <class F, class T>
void scatter_reduce(void* to, const void* from, std::int64_t count) {
  auto* const y = static_cast<T*>(to);
  const auto* const x = static_cast<const T*>(from);
  for (std::int64_t i = 0; i < count; ++i) y[i] = F::apply(y[i], x[i]);
}

template <std::size_t kBytes>
void replace(void* to, const void* from, std::int64_t count) {
  std::memcpy(to, from, static_cast<std::size_t>(count) * kBytes);
}

template <class F>
UpdateLoop loop_of(DType type) {
  UpdateLoop found = nullptr;
  const auto consider = [&]<class T>(T) {
    if (dtype_of<T>() == type) found = &scatter_reduce<F, T>;
  };
  [&]<class... Ts>(Types<Ts...>) { (consider(Ts{}), ...); }(NumberTypes{});
  return found;
}

UpdateLoop replacing(DType type) {
  switch (dtype_size(type)) {
    case 1:
      return &replace<1>;
    case 2:
      return &replace<2>;
    case 4:
      return &replace<4>;
    default:
      return &replace<8>;
  }
}

}  // namespace

Result<Reduction> read_reduction(const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const std::string name, node.string_attr("reduction", "none"));
  if (name == "none") return Reduction::none;
  if (name == "add") return Reduction::add;
  if (name == "mul") return Reduction::mul;
  if (name == "min") return Reduction::min;
  if (name == "max") return Reduction::max;
  return Status(ErrorCode::unsupported,
                "reduction = '" + name + "' of " + node.op_type + " is not known",
                "use none, add, mul, min or max");
}

Result<UpdateLoop> update_loop(Reduction reduction, DType type) {
  UpdateLoop loop = nullptr;
  switch (reduction) {
    case Reduction::none:
      return replacing(type);
    case Reduction::add:
      loop = loop_of<ScatterAdd>(type);
      break;
    case Reduction::mul:
      loop = loop_of<ScatterMul>(type);
      break;
    case Reduction::min:
      loop = loop_of<ScatterMin>(type);
      break;
    case Reduction::max:
      loop = loop_of<ScatterMax>(type);
      break;
  }
  if (loop == nullptr) return unsupported_type("a scatter with a reduction", type);
  return loop;
}

}  // namespace pbatch
