// Add, Sub, Mul, Div. Integers wrap around; what has no result at all is an error.
#include "op/math/arithmetic.h"

#include <limits>
#include <type_traits>

#include "op/math/binary.h"
#include "op/math/element_function.h"

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

struct IntegerDiv {
  static constexpr bool kPartial = true;
  template <class T>
  static bool apply(T a, T b, T& y) {
    if (!divides(a, b)) return false;
    y = static_cast<T>(a / b);
    return true;
  }
};

constexpr BinaryTable kSub = with_floats<ElementFunction::sub>(binary_table<Sub>(IntegerTypes{}));
constexpr BinaryTable kMul = with_floats<ElementFunction::mul>(binary_table<Mul>(IntegerTypes{}));
constexpr BinaryTable kDiv = with_floats<ElementFunction::div>(binary_table<IntegerDiv>(
    IntegerTypes{}, "an integer is divided by zero, or the least one by -1"));

}  // namespace

constinit const BinaryTable kAdd =
    with_floats<ElementFunction::add>(binary_table<Add>(IntegerTypes{}));

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
