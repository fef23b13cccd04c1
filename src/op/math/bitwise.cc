// BitwiseAnd, BitwiseOr, BitwiseXor and BitShift.
#include <type_traits>

#include "op/math/binary.h"
#include "op/node_checks.h"

namespace pbatch {
namespace {

struct BitAnd {
  static constexpr bool kPartial = false;
  template <class T>
  static T apply(T a, T b) {
    return static_cast<T>(a & b);
  }
};

struct BitOr {
  static constexpr bool kPartial = false;
  template <class T>
  static T apply(T a, T b) {
    return static_cast<T>(a | b);
  }
};

struct BitXor {
  static constexpr bool kPartial = false;
  template <class T>
  static T apply(T a, T b) {
    return static_cast<T>(a ^ b);
  }
};

// A shift by as many bits as there are, or more, leaves nothing.
struct ShiftLeft {
  static constexpr bool kPartial = false;
  template <class T>
  static T apply(T a, T b) {
    return b < 8 * sizeof(T) ? static_cast<T>(std::uint64_t{a} << b) : T{0};
  }
};

struct ShiftRight {
  static constexpr bool kPartial = false;
  template <class T>
  static T apply(T a, T b) {
    return b < 8 * sizeof(T) ? static_cast<T>(std::uint64_t{a} >> b) : T{0};
  }
};

using UnsignedTypes = Types<std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t>;

constexpr BinaryTable kAnd = binary_table<BitAnd>(IntegerTypes{});
constexpr BinaryTable kOr = binary_table<BitOr>(IntegerTypes{});
constexpr BinaryTable kXor = binary_table<BitXor>(IntegerTypes{});
constexpr BinaryTable kLeft = binary_table<ShiftLeft>(UnsignedTypes{});
constexpr BinaryTable kRight = binary_table<ShiftRight>(UnsignedTypes{});

}  // namespace

Result<std::unique_ptr<Op>> make_bitwise_and(const Graph&, const Node& node) {
  return make_binary(kAnd, node);
}

Result<std::unique_ptr<Op>> make_bitwise_or(const Graph&, const Node& node) {
  return make_binary(kOr, node);
}

Result<std::unique_ptr<Op>> make_bitwise_xor(const Graph&, const Node& node) {
  return make_binary(kXor, node);
}

Result<std::unique_ptr<Op>> make_bit_shift(const Graph&, const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const std::string direction, node.string_attr("direction", ""));
  if (direction == "LEFT") return make_binary(kLeft, node);
  if (direction == "RIGHT") return make_binary(kRight, node);
  return Status(ErrorCode::malformed, "direction = '" + direction + "' of BitShift is not known",
                "use LEFT or RIGHT");
}

}  // namespace pbatch
