// IsInf: which of the infinities count is an attribute.
#include <limits>

#include "op/math/unary.h"

namespace pbatch {
namespace {

// alpha: whether -infinity counts; beta: whether +infinity does.
struct IsInf {
  static Bool apply(float x, const UnaryParams& p) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    return Bool((x == -kInfinity && p.alpha != 0.0F) || (x == kInfinity && p.beta != 0.0F));
  }
};

constexpr UnaryTable is_inf_table() {
  UnaryTable table;
  table.loops[dtype_index(DType::f32)] = &unary_loop<IsInf, float, Bool>;
  table.makes_bool = true;
  return table;
}

constexpr UnaryTable kIsInf = is_inf_table();

}  // namespace

Result<std::unique_ptr<Op>> make_is_inf(const Graph&, const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t negative, node.int_attr("detect_negative", 1));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t positive, node.int_attr("detect_positive", 1));
  return make_unary(kIsInf, node, {negative != 0 ? 1.0F : 0.0F, positive != 0 ? 1.0F : 0.0F});
}

}  // namespace pbatch
