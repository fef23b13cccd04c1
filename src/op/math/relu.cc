// Relu, of integers, too. A NaN stays a NaN.
#include "kernel/element_functions.h"
#include "op/math/element_function.h"

namespace pbatch {
namespace {

struct Relu {
  template <class T>
  static T apply(T x, const UnaryParams&) {
    return relu_of(x);
  }
};

constexpr UnaryTable kRelu = with_floats<ElementFunction::relu>(unary_table<Relu>(IntegerTypes{}));

}  // namespace

Result<std::unique_ptr<Op>> make_relu(const Graph&, const Node& node) {
  return make_unary(kRelu, node);
}

}  // namespace pbatch
