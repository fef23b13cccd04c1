// Mod: the sign of the divisor (fmod = 0, integers only) or of the dividend (fmod = 1).
#include <cmath>

#include "op/math/arithmetic.h"
#include "op/math/binary.h"

namespace pbatch {
namespace {

struct FloorMod {
  static constexpr bool kPartial = true;
  template <class T>
  static bool apply(T a, T b, T& y) {
    if (b == 0) return false;
    const T rest = divides(a, b) ? static_cast<T>(a % b) : T{0};
    y = rest != 0 && (rest < 0) != (b < 0) ? static_cast<T>(rest + b) : rest;
    return true;
  }
};

struct TruncatedMod {
  static constexpr bool kPartial = true;
  template <class T>
  static bool apply(T a, T b, T& y) {
    if (b == 0) return false;
    y = divides(a, b) ? static_cast<T>(a % b) : T{0};
    return true;
  }
};

struct FloatMod {
  static constexpr bool kPartial = false;
  static float apply(float a, float b) { return std::fmod(a, b); }
};

constexpr const char* kNoResult = "an integer is divided by zero";

constexpr BinaryTable fmod_table() {
  BinaryTable table = binary_table<TruncatedMod>(IntegerTypes{}, kNoResult);
  table.loops[dtype_index(DType::f32)] = &binary_loop<FloatMod, float, float>;
  return table;
}

constexpr BinaryTable kFloorMod = binary_table<FloorMod>(IntegerTypes{}, kNoResult);
constexpr BinaryTable kFmod = fmod_table();

}  // namespace

Result<std::unique_ptr<Op>> make_mod(const Graph&, const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t fmod, node.int_attr("fmod", 0));
  return make_binary(fmod != 0 ? kFmod : kFloorMod, node);
}

}  // namespace pbatch
