// The functions of kernel/element_functions.inc as operators of nodes.
#pragma once

#include <string_view>

#include "kernel/element_spec.h"
#include "op/math/unary.h"

namespace pbatch {

/// Null if that operator is none of them.
const ElementSpec* find_element_spec(std::string_view op_type);

/// The numbers that the node gives the function, or their defaults. Precondition: it is one of
/// them.
Result<UnaryParams> read_element_params(const Node& node);

}  // namespace pbatch
