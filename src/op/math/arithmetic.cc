// Add, Sub, Mul, Div. Integers wrap around; what has no result at all is an error.
#include "op/math/arithmetic.h"

#include <limits>
#include <type_traits>

#include "op/math/binary.h"

namespace pbatch {
namespace {

struct Add {
  static constexpr bool kPartial = false;
  template <class T>
  static T apply(T a, T b) {
    return wrapping(a, b, [](auto x, auto y) { return x + y; });
  }
};

struct Sub {
  static constexpr bool kPartial = false;
  template <class T>
  static T apply(T a, T b) {
    return wrapping(a, b, [](auto x, auto y) { return x - y; });
  }
};

struct Mul {
  static constexpr bool kPartial = false;
  template <class T>
  static T apply(T a, T b) {
    return wrapping(a, b, [](auto x, auto y) { return x * y; });
  }
};

struct FloatDiv {
  static constexpr bool kPartial = false;
  static float apply(float a, float b) { return a / b; }
};

struct IntegerDiv {
  static constexpr bool kPartial = true;
  template <class T>
  static bool apply(T a, T b, T& y) {
    if (!divides(a, b)) return false;
    y = static_cast<T>(a / b);
    return true;
  }
};

constexpr BinaryTable div_table() {
  BinaryTable table = binary_table<IntegerDiv>(
      IntegerTypes{}, "an integer is divided by zero, or the least one by -1");
  table.loops[dtype_index(DType::f32)] = &binary_loop<FloatDiv, float, float>;
  return table;
}

constexpr BinaryTable kSub = binary_table<Sub>(NumberTypes{});
constexpr BinaryTable kMul = binary_table<Mul>(NumberTypes{});
constexpr BinaryTable kDiv = div_table();

}  // namespace

constinit const BinaryTable kAdd = binary_table<Add>(NumberTypes{});

Result<std::unique_ptr<Op>> make_add(const Graph&, const Node& node) {
  return make_binary(kAdd, node);
}
Result<std::unique_ptr<Op>> make_sub(const Graph&, const Node& node) {
  return make_binary(kSub, node);
}
Result<std::unique_ptr<Op>> make_mul(const Graph&, const Node& node) {
  return make_binary(kMul, node);
}
Result<std::unique_ptr<Op>> make_div(const Graph&, const Node& node) {
  return make_binary(kDiv, node);
}

}  // namespace pbatch
