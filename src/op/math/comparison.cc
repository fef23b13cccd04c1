// Equal, Greater, GreaterOrEqual, Less, LessOrEqual.
#include "op/math/binary.h"

namespace pbatch {
namespace {

struct Equal {
  static constexpr bool kPartial = false;
  template <class T>
  static Bool apply(T a, T b) {
    return Bool(a == b);
  }
  static Bool apply(Bool a, Bool b) { return Bool(bool(a) == bool(b)); }
};

struct Greater {
  static constexpr bool kPartial = false;
  template <class T>
  static Bool apply(T a, T b) {
    return Bool(a > b);
  }
};

struct GreaterOrEqual {
  static constexpr bool kPartial = false;
  template <class T>
  static Bool apply(T a, T b) {
    return Bool(a >= b);
  }
};

struct Less {
  static constexpr bool kPartial = false;
  template <class T>
  static Bool apply(T a, T b) {
    return Bool(a < b);
  }
};

struct LessOrEqual {
  static constexpr bool kPartial = false;
  template <class T>
  static Bool apply(T a, T b) {
    return Bool(a <= b);
  }
};

constexpr BinaryTable equal_table() {
  BinaryTable table = predicate_table<Equal>(NumberTypes{});
  table.loops[dtype_index(DType::boolean)] = &binary_loop<Equal, Bool, Bool>;
  return table;
}

constexpr BinaryTable kEqual = equal_table();
constexpr BinaryTable kGreater = predicate_table<Greater>(NumberTypes{});
constexpr BinaryTable kGreaterOrEqual = predicate_table<GreaterOrEqual>(NumberTypes{});
constexpr BinaryTable kLess = predicate_table<Less>(NumberTypes{});
constexpr BinaryTable kLessOrEqual = predicate_table<LessOrEqual>(NumberTypes{});

}  // namespace

Result<std::unique_ptr<Op>> make_equal(const Graph&, const Node& node) {
  return make_binary(kEqual, node);
}
Result<std::unique_ptr<Op>> make_greater(const Graph&, const Node& node) {
  return make_binary(kGreater, node);
}
Result<std::unique_ptr<Op>> make_greater_or_equal(const Graph&, const Node& node) {
  return make_binary(kGreaterOrEqual, node);
}
Result<std::unique_ptr<Op>> make_less(const Graph&, const Node& node) {
  return make_binary(kLess, node);
}
Result<std::unique_ptr<Op>> make_less_or_equal(const Graph&, const Node& node) {
  return make_binary(kLessOrEqual, node);
}

}  // namespace pbatch
