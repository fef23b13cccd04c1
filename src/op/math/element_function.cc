// Functions of one float, as kernel/element_functions.inc says.
#include "op/math/element_function.h"

#include <algorithm>
#include <iterator>
#include <string>

namespace pbatch {
namespace {

// Elements that are worth a thread.
constexpr std::int64_t grain_of(ElementFunction function) {
  switch (function) {
    case ElementFunction::log:
    case ElementFunction::softplus:  // of the C library
      return 1 << 12;
    case ElementFunction::celu:
    case ElementFunction::elu:
    case ElementFunction::erf:
    case ElementFunction::exp:
    case ElementFunction::gelu:
    case ElementFunction::gelu_tanh:
    case ElementFunction::mish:
    case ElementFunction::selu:
    case ElementFunction::sigmoid:
    case ElementFunction::swish:
    case ElementFunction::tanh:
      return 1 << 13;
    default:
      return 1 << 15;
  }
}

template <ElementFunction kFunction>
constexpr UnaryTable element_table() {
  UnaryTable table = with_floats<kFunction>(UnaryTable{});
  table.grain = grain_of(kFunction);
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

Result<std::unique_ptr<Op>> make_element_op(const Node& node, ElementFunction function,
                                            const UnaryParams& params) {
  return make_unary(kElementTables[static_cast<std::size_t>(function)], node, params);
}

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
  return make_element_op(node, function, params);
}

Result<std::unique_ptr<Op>> make_gelu(const Graph&, const Node& node) {
  const Result<std::string> approximate = node.string_attr("approximate", "none");
  if (!approximate) return approximate.status();
  if (*approximate == "none") return make_element_op(node, ElementFunction::gelu, {});
  if (*approximate == "tanh") return make_element_op(node, ElementFunction::gelu_tanh, {});
  return Status(ErrorCode::unsupported, "approximate = '" + *approximate + "' of Gelu is not known",
                "use 'none' or 'tanh'");
}

}  // namespace pbatch
