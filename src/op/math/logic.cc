// And, Or, Xor.
#include "op/math/binary.h"

namespace pbatch {
namespace {

struct And {
  static constexpr bool kPartial = false;
  static Bool apply(Bool a, Bool b) { return Bool(bool(a) && bool(b)); }
};

struct Or {
  static constexpr bool kPartial = false;
  static Bool apply(Bool a, Bool b) { return Bool(bool(a) || bool(b)); }
};

struct Xor {
  static constexpr bool kPartial = false;
  static Bool apply(Bool a, Bool b) { return Bool(bool(a) != bool(b)); }
};

constexpr BinaryTable kLogicalAnd = predicate_table<And>(Types<Bool>{});
constexpr BinaryTable kLogicalOr = predicate_table<Or>(Types<Bool>{});
constexpr BinaryTable kLogicalXor = predicate_table<Xor>(Types<Bool>{});

}  // namespace

Result<std::unique_ptr<Op>> make_and(const Graph&, const Node& node) {
  return make_binary(kLogicalAnd, node);
}
Result<std::unique_ptr<Op>> make_or(const Graph&, const Node& node) {
  return make_binary(kLogicalOr, node);
}
Result<std::unique_ptr<Op>> make_xor(const Graph&, const Node& node) {
  return make_binary(kLogicalXor, node);
}

}  // namespace pbatch
