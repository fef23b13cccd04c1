// Functions of one float that are computed one by one: what kernel/element_functions.inc says of
// them.
#include "op/math/element_function.h"

#include <algorithm>
#include <iterator>

#include "kernel/element_functions.h"

namespace pbatch {
namespace {

template <ElementFunction kFunction>
struct ElementOf {
  static float apply(float x, const UnaryParams& p) {
    return element<kFunction>(x, 0.0F, p.alpha, p.beta);
  }
};

template <ElementFunction kFunction>
constexpr UnaryTable element_table() {
  UnaryTable table = unary_table<ElementOf<kFunction>>(Types<float>{});
  const bool of_c_library =
      kFunction == ElementFunction::log || kFunction == ElementFunction::softplus;
  if (of_c_library) table.grain = 1 << 12;
  return table;
}

constexpr UnaryTable kElementTables[] = {
#define PBATCH_ELEMENT_1(op_type, name, alpha, alpha_default, beta, beta_default, y) \
  element_table<ElementFunction::name>(),
#define PBATCH_ELEMENT_2(op_type, name, y)
#include "kernel/element_functions.inc"
#undef PBATCH_ELEMENT_1
#undef PBATCH_ELEMENT_2
};

}  // namespace

const ElementSpec* find_element_spec(std::string_view op_type) {
  const auto* const found =
      std::find_if(std::begin(kElementSpecs), std::end(kElementSpecs),
                   [&](const ElementSpec& spec) { return spec.op_type == op_type; });
  return found == std::end(kElementSpecs) ? nullptr : found;
}

Result<UnaryParams> read_element_params(const Node& node) {
  const ElementSpec& spec = *find_element_spec(node.op_type);
  UnaryParams params;
  if (*spec.alpha != 0) {
    PBATCH_ASSIGN_OR_RETURN(params.alpha, node.float_attr(spec.alpha, spec.alpha_default));
  }
  if (*spec.beta != 0) {
    PBATCH_ASSIGN_OR_RETURN(params.beta, node.float_attr(spec.beta, spec.beta_default));
  }
  return params;
}

Result<std::unique_ptr<Op>> make_element(const Graph&, const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const UnaryParams params, read_element_params(node));
  const auto function = find_element_spec(node.op_type)->function;
  return make_unary(kElementTables[static_cast<std::size_t>(function)], node, params);
}

}  // namespace pbatch
