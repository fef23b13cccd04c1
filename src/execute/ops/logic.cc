// And, Or, Xor.
#include "execute/ops/binary.h"

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

constexpr BinaryTable kAnd = predicate_table<And>(Types<Bool>{});
constexpr BinaryTable kOr = predicate_table<Or>(Types<Bool>{});
constexpr BinaryTable kXor = predicate_table<Xor>(Types<Bool>{});

}  // namespace

Result<std::unique_ptr<Op>> make_and(const Graph&, const Node& node) {
  return make_binary(kAnd, node);
}
Result<std::unique_ptr<Op>> make_or(const Graph&, const Node& node) {
  return make_binary(kOr, node);
}
Result<std::unique_ptr<Op>> make_xor(const Graph&, const Node& node) {
  return make_binary(kXor, node);
}

}  // namespace pbatch
