// The functions of kernel/element_functions.inc as operators of nodes.
#pragma once

#include <string_view>

#include "kernel/element_spec.h"
#include "kernel/vector_fns.h"
#include "op/math/binary.h"
#include "op/math/unary.h"

namespace pbatch {

/// Null if that operator is none of them.
const ElementSpec* find_element_spec(std::string_view op_type);

/// The numbers that the node gives the function, or their defaults. Precondition: it is one of
/// them.
Result<UnaryParams> read_element_params(const Node& node);

/// A table of integers with the float loop of a function of one number, or of two.
template <ElementFunction kFunction>
constexpr UnaryTable with_floats(UnaryTable table) {
  table.loops[dtype_index(DType::f32)] = [](std::int64_t count, const void* x, void* y,
                                            const UnaryParams& p) {
    vector_fns().apply(kFunction, count, static_cast<const float*>(x), p.alpha, p.beta,
                       static_cast<float*>(y));
  };
  return table;
}
template <ElementFunction kFunction>
constexpr BinaryTable with_floats(BinaryTable table) {
  table.loops[dtype_index(DType::f32)] = [](std::int64_t count, const void* a, std::int64_t a_step,
                                            const void* b, std::int64_t b_step, void* y) {
    vector_fns().combine(kFunction, count, static_cast<const float*>(a), a_step,
                         static_cast<const float*>(b), b_step, static_cast<float*>(y));
    return true;
  };
  return table;
}

}  // namespace pbatch
