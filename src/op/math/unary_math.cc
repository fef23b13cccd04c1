// Functions of one number without attributes that CPUs alone have, or have for integers, too.
#include <cmath>
#include <cstdlib>
#include <type_traits>

#include "op/math/arithmetic.h"
#include "op/math/element_function.h"

namespace pbatch {
namespace {

constexpr std::int64_t kSlowGrain = 1 << 12;

template <float (*kFunction)(float)>
struct FloatFunction {
  static float apply(float x, const UnaryParams&) { return kFunction(x); }
};

template <float (*kFunction)(float)>
constexpr UnaryTable float_table(std::int64_t grain = kSlowGrain) {
  UnaryTable table = unary_table<FloatFunction<kFunction>>(Types<float>{});
  table.grain = grain;
  return table;
}

float floor_of(float x) { return std::floor(x); }
float ceil_of(float x) { return std::ceil(x); }
float round_half_even(float x) { return std::nearbyint(x); }
float sin_of(float x) { return std::sin(x); }
float cos_of(float x) { return std::cos(x); }
float tan_of(float x) { return std::tan(x); }
float asin_of(float x) { return std::asin(x); }
float acos_of(float x) { return std::acos(x); }
float atan_of(float x) { return std::atan(x); }
float sinh_of(float x) { return std::sinh(x); }
float cosh_of(float x) { return std::cosh(x); }
float asinh_of(float x) { return std::asinh(x); }
float acosh_of(float x) { return std::acosh(x); }
float atanh_of(float x) { return std::atanh(x); }

struct Negate {
  template <class T>
  static T apply(T x, const UnaryParams&) {
    if constexpr (std::is_floating_point_v<T>)
      return -x;
    else
      return wrapping(T{0}, x, [](auto a, auto b) { return a - b; });
  }
};

// The least integer is its own absolute value, as in NumPy.
struct Absolute {
  template <class T>
  static T apply(T x, const UnaryParams& p) {
    if constexpr (std::is_unsigned_v<T>)
      return x;
    else
      return x < 0 ? Negate::apply(x, p) : x;
  }
};

struct Sign {
  template <class T>
  static T apply(T x, const UnaryParams&) {
    if (x != x) return x;
    return static_cast<T>((x > T{0}) - (x < T{0}));
  }
};

struct LogicalNot {
  static Bool apply(Bool x, const UnaryParams&) { return Bool(!x); }
};

struct BitwiseNot {
  template <class T>
  static T apply(T x, const UnaryParams&) {
    return static_cast<T>(~x);
  }
};

struct IsNan {
  static Bool apply(float x, const UnaryParams&) { return Bool(x != x); }
};

using SignedTypes = Types<float, std::int8_t, std::int16_t, std::int32_t, std::int64_t>;

constexpr UnaryTable is_nan_table() {
  UnaryTable table;
  table.loops[dtype_index(DType::f32)] = &unary_loop<IsNan, float, Bool>;
  table.makes_bool = true;
  return table;
}

constexpr std::int64_t kFastGrain = 1 << 15;
constexpr UnaryTable kFloor = float_table<floor_of>(kFastGrain);
constexpr UnaryTable kCeil = float_table<ceil_of>(kFastGrain);
constexpr UnaryTable kRoundHalfEven = float_table<round_half_even>(kFastGrain);
constexpr UnaryTable kSin = float_table<sin_of>();
constexpr UnaryTable kCos = float_table<cos_of>();
constexpr UnaryTable kTan = float_table<tan_of>();
constexpr UnaryTable kAsin = float_table<asin_of>();
constexpr UnaryTable kAcos = float_table<acos_of>();
constexpr UnaryTable kAtan = float_table<atan_of>();
constexpr UnaryTable kSinh = float_table<sinh_of>();
constexpr UnaryTable kCosh = float_table<cosh_of>();
constexpr UnaryTable kAsinh = float_table<asinh_of>();
constexpr UnaryTable kAcosh = float_table<acosh_of>();
constexpr UnaryTable kAtanh = float_table<atanh_of>();
constexpr UnaryTable kNeg = with_floats<ElementFunction::neg>(unary_table<Negate>(SignedTypes{}));
constexpr UnaryTable kAbs =
    with_floats<ElementFunction::abs>(unary_table<Absolute>(IntegerTypes{}));
constexpr UnaryTable kSign = unary_table<Sign>(NumberTypes{});
constexpr UnaryTable kBitwiseNot = unary_table<BitwiseNot>(IntegerTypes{});
constexpr UnaryTable kNot = unary_table<LogicalNot>(Types<Bool>{});
constexpr UnaryTable kIsNan = is_nan_table();

}  // namespace

using Made = Result<std::unique_ptr<Op>>;
Made make_floor(const Graph&, const Node& node) { return make_unary(kFloor, node); }
Made make_ceil(const Graph&, const Node& node) { return make_unary(kCeil, node); }
Made make_round(const Graph&, const Node& node) { return make_unary(kRoundHalfEven, node); }
Made make_sin(const Graph&, const Node& node) { return make_unary(kSin, node); }
Made make_cos(const Graph&, const Node& node) { return make_unary(kCos, node); }
Made make_tan(const Graph&, const Node& node) { return make_unary(kTan, node); }
Made make_asin(const Graph&, const Node& node) { return make_unary(kAsin, node); }
Made make_acos(const Graph&, const Node& node) { return make_unary(kAcos, node); }
Made make_atan(const Graph&, const Node& node) { return make_unary(kAtan, node); }
Made make_sinh(const Graph&, const Node& node) { return make_unary(kSinh, node); }
Made make_cosh(const Graph&, const Node& node) { return make_unary(kCosh, node); }
Made make_asinh(const Graph&, const Node& node) { return make_unary(kAsinh, node); }
Made make_acosh(const Graph&, const Node& node) { return make_unary(kAcosh, node); }
Made make_atanh(const Graph&, const Node& node) { return make_unary(kAtanh, node); }
Made make_neg(const Graph&, const Node& node) { return make_unary(kNeg, node); }
Made make_abs(const Graph&, const Node& node) { return make_unary(kAbs, node); }
Made make_sign(const Graph&, const Node& node) { return make_unary(kSign, node); }
Made make_bitwise_not(const Graph&, const Node& node) { return make_unary(kBitwiseNot, node); }
Made make_not(const Graph&, const Node& node) { return make_unary(kNot, node); }
Made make_is_nan(const Graph&, const Node& node) { return make_unary(kIsNan, node); }

}  // namespace pbatch
